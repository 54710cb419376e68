import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Logger } from 'pino';
import { ConfigError } from '../config/environment.ts';
import { watchFile } from '../keys/watched-file.ts';
import type { Certificate } from './server.ts';

export type CertificateFiles = { certFile: string; keyFile: string };
export type WatchedCertificate = {
  value: () => Certificate;
  /** Called with each pair that fits, from now on. */
  onRenewed: (renewed: (certificate: Certificate) => void) => void;
  look: () => void;
  stop: () => void;
};

const parseCert = (text: string): { cert: string; leaf: X509Certificate } => ({
  cert: text,
  leaf: new X509Certificate(text),
});
const parseKey = (text: string) => ({ key: text, privateKey: createPrivateKey(text) });

/**
 * The two files are written one after the other: a certificate is taken once its key has come as well, and until then the
 * pair before it serves on. Throws ConfigError when they cannot be used at the start.
 */
export function watchCertificate(
  { certFile, keyFile }: CertificateFiles,
  log: Logger,
  lookEveryMs?: number,
): WatchedCertificate {
  let renewed: (certificate: Certificate) => void = () => undefined;
  const failed = (path: string, error: unknown): void =>
    log.error({ path, err: error }, 'certificate not read, the one before it stays');
  const pair = (): Certificate | undefined => {
    const [{ cert, leaf }, { key, privateKey }] = [certs.value(), keys.value()];
    return leaf.checkPrivateKey(privateKey) ? { cert, key } : undefined;
  };
  const changed = (): void => {
    const fits = pair();
    if (!fits) return log.warn('certificate and key do not fit yet, those before them stay');
    current = fits;
    renewed(fits);
    log.info({ validTo: certs.value().leaf.validTo }, 'certificate read anew');
  };
  const open = <T>(path: string, parse: (text: string) => T) => {
    try {
      return watchFile(path, parse, { changed, failed }, lookEveryMs);
    } catch (cause) {
      throw new ConfigError(`${path}: cannot be read as PEM`, { cause });
    }
  };
  const certs = open(certFile, parseCert);
  const keys = open(keyFile, parseKey);
  const first = pair();
  if (!first) throw new ConfigError('TLS_KEY_FILE is not the key of TLS_CERT_FILE');
  let current = first;
  return {
    value: () => current,
    onRenewed: (take) => (renewed = take),
    look: () => [certs, keys].forEach((one) => one.look()),
    stop: () => [certs, keys].forEach((one) => one.stop()),
  };
}
