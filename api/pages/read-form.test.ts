import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { FORM_FIELDS_MAX, FORM_MAX_BYTES, readForm } from './read-form.ts';

const posted = (body: string, type = 'application/x-www-form-urlencoded; charset=UTF-8'): IncomingMessage =>
  Object.assign(Readable.from([Buffer.from(body)]), {
    headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) },
  }) as unknown as IncomingMessage;

test('the fields of a form are read as people wrote them', async () => {
  expect(await readForm(posted('email=a%2Bb%40mail.example&course=kh%C3%B3a&course=last&__proto__=x'))).toEqual({
    email: 'a+b@mail.example',
    course: 'last',
    ['__proto__']: 'x',
  });
});

test('another type is refused, and so is one byte or one field too many', async () => {
  await expect(readForm(posted('{}', 'application/json'))).rejects.toMatchObject({ code: 'form_needed' });
  const full = `a=${'x'.repeat(FORM_MAX_BYTES - 2)}`;
  expect(await readForm(posted(full))).toEqual({ a: full.slice(2) });
  await expect(readForm(posted(`${full}x`))).rejects.toMatchObject({ code: 'body_too_large' });
  const fields = (count: number): string => Array.from({ length: count }, (_, i) => `f${i}=`).join('&');
  expect(Object.keys(await readForm(posted(fields(FORM_FIELDS_MAX))))).toHaveLength(FORM_FIELDS_MAX);
  await expect(readForm(posted(fields(FORM_FIELDS_MAX + 1)))).rejects.toMatchObject({ code: 'body_too_large' });
});
