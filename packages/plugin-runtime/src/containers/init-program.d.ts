/** @throws invalid where none is installed, in dockerd's words */
export declare function findInit(): string
