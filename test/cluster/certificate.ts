/** A certificate of our own making, for services with TLS. */
import { join } from 'node:path';
import { runCommand } from './run-command.js';

export interface Certificate {
  /** Paths of PEM files. The certificate is its own authority. */
  certificate: string;
  key: string;
}

/** Makes a certificate for an IPv4 address, valid for two days. */
export function makeCertificate(folder: string, address: string): Certificate {
  const [certificate, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  runCommand(
    ...(['openssl', 'req', '-x509', '-newkey', 'ec'] as const),
    ...['-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=sae-eval test', '-addext', `subjectAltName=IP:${address}`],
    ...['-keyout', key, '-out', certificate],
  );
  return { certificate, key };
}
