import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../config/environment.ts';
import { readConfig } from './config.ts';

const KEY = Buffer.alloc(32, 3).toString('base64');
const env = {
  PORT: '0',
  PUBLIC_URL: 'https://api.example/',
  DATABASE_URL: 'postgres://lading_api@127.0.0.1/lading',
  ORDER_TOKEN_KEY: KEY,
  MASTER_KEY: KEY,
  SEPAY_WEBHOOK_SECRETS: 'whsec_the_current_one\r\n\nwhsec_the_previous_one\n',
  BANK_BIN: '970422',
  BANK_ACCOUNT_NUMBER: '0123456789',
  BANK_ACCOUNT_NAME: 'LADING TEST',
};

describe('readConfig', () => {
  test('reads a complete environment and fills in the rest', () => {
    expect(readConfig(env)).toMatchObject({
      listen: { host: '127.0.0.1', port: 0 },
      desk: { publicUrl: 'https://api.example' },
      sepaySecrets: {
        mode: 'hmac',
        initial: [{ value: 'whsec_the_current_one' }, { value: 'whsec_the_previous_one' }],
      },
      orderTtlMinutes: 60,
      logLevel: 'info',
    });
  });

  test('knows where customers find help, where it is told', () => {
    expect(readConfig({ ...env, CONTACT_EMAIL: 'help@shop.example' }).contactEmail).toBe('help@shop.example');
    expect(readConfig({ ...env, CONTACT_EMAIL: '' }).contactEmail).toBeUndefined();
  });

  test('takes an API key instead', () => {
    const { SEPAY_WEBHOOK_SECRETS: _, ...rest } = env;
    expect(readConfig({ ...rest, SEPAY_API_KEY: 'a-long-enough-api-key' }).sepaySecrets).toEqual({
      mode: 'apikey',
      initial: [{ value: 'a-long-enough-api-key' }],
      file: undefined,
    });
  });

  test.each([
    [{ SEPAY_API_KEY: 'a-long-enough-api-key' }, /exactly one/],
    [{ SEPAY_WEBHOOK_SECRETS: '' }, /exactly one/],
    [{ SEPAY_WEBHOOK_SECRETS: 'short' }, /SEPAY_WEBHOOK_SECRETS/],
    [{ SEPAY_WEBHOOK_SECRETS: 'whsec_secret_one\nwhsec_secret_two\nwhsec_secret_three' }, /SEPAY_WEBHOOK_SECRETS/],
    [{ MASTER_KEY: Buffer.alloc(31).toString('base64') }, /MASTER_KEY/],
    [{ ORDER_TOKEN_KEY: 'not base64!' }, /ORDER_TOKEN_KEY/],
    [{ CONTACT_EMAIL: 'nobody' }, /CONTACT_EMAIL/],
    [{ BANK_BIN: '97042' }, /BANK_BIN/],
    [{ BANK_ACCOUNT_NUMBER: '0123 4567' }, /BANK_ACCOUNT_NUMBER/],
    [{ PUBLIC_URL: 'ftp://api.example' }, /PUBLIC_URL/],
    [{ ORDER_TTL_MINUTES: '0' }, /ORDER_TTL_MINUTES/],
    [{ DATABASE_URL: 'mysql://x' }, /DATABASE_URL/],
    [{ SEPAY_API_URL: 'http://127.0.0.1:8080' }, /SEPAY_API_URL: must be https/],
    [{ SANDBOX_ORIGINS: 'http://127.0.0.1:8080/path' }, /SANDBOX_ORIGINS/],
    [{ TLS_CERT_FILE: '/cert.pem' }, /TLS_CERT_FILE and TLS_KEY_FILE/],
    [{ MASTER_KEY: 'a\nb\nc\nd\ne' }, /MASTER_KEY/],
  ])('refuses %j', (changes, message) => {
    expect(() => readConfig({ ...env, ...changes })).toThrow(ConfigError);
    expect(() => readConfig({ ...env, ...changes })).toThrow(message);
  });

  test('takes plain HTTP from a stand-in that was named', () => {
    const url = 'http://127.0.0.1:8080';
    const token = 'a-long-enough-token';
    expect(readConfig({ ...env, SEPAY_API_URL: url, SANDBOX_ORIGINS: url, SEPAY_API_TOKEN: token }).sepayApi).toEqual({
      url,
      token,
    });
  });
});
