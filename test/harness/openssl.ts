/** Certificates that were made elsewhere. @module */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from './run.ts'

export interface CertificateFiles {
  certFile: string
  keyFile: string
  /** PEM. */
  cert: string
  key: string
}

/** A self-signed one by openssl(1), for a day. @param names as openssl takes them: `DNS:a.example`, `IP:127.0.0.1` */
export async function makeCertificate(dir: string, file: string, names: string[]): Promise<CertificateFiles> {
  const [certFile, keyFile] = [join(dir, `${file}.crt`), join(dir, `${file}.key`)]
  await must('openssl', [
    ...['req', '-x509', '-nodes', '-days', '1', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-subj', `/CN=${file}`, '-addext', `subjectAltName=${names.join(',')}`],
    ...['-keyout', keyFile, '-out', certFile],
  ])
  return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
}
