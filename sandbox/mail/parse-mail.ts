/**
 * As much of MIME as reading a plain or alternative mail takes: headers (RFC 5322), encoded words (RFC 2047), parts and
 * transfer encodings (RFC 2045/2046). Attachments are passed over.
 */
export type ParsedMail = {
  subject: string;
  from: string;
  to: string;
  messageId: string;
  text: string;
  html?: string;
};
type Entity = { headers: ReadonlyMap<string, string>; body: Buffer };

const DEPTH_MAX = 5;
const PARTS_MAX = 50;
const ENCODED_WORD = /=\?([^?*]+)(?:\*[^?]*)?\?([BQ])\?([^?]*)\?=/gi;

const decodeText = (bytes: Buffer, charset: string): string => {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return bytes.toString('utf8');
  }
};

const quotedPrintable = (text: string): Buffer =>
  Buffer.from(
    text
      .replaceAll(/[ \t]+(?=\r?\n|$)/g, '')
      .replaceAll(/=\r?\n/g, '')
      .replaceAll(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );

/** Encoded words of one charset that follow each other are one text: a character may be cut between them. */
export function decodeWords(header: string): string {
  const joined = header.replaceAll(/(=\?[^?]+\?[BQ]\?[^?]*\?=)\s+(?==\?[^?]+\?[BQ]\?)/gi, '$1');
  const runs = joined.matchAll(/(?:=\?[^?]+\?[BQ]\?[^?]*\?=)+|[^=]+|=/gi);
  return [...runs]
    .map(([run]) => {
      const words = [...run.matchAll(ENCODED_WORD)];
      if (words.length === 0) return run;
      const bytes = words.map(([, , encoding, text = '']) =>
        encoding?.toUpperCase() === 'B' ? Buffer.from(text, 'base64') : quotedPrintable(text.replaceAll('_', ' ')),
      );
      return decodeText(Buffer.concat(bytes), words[0]?.[1] ?? 'utf-8');
    })
    .join('');
}

function readEntity(raw: Buffer): Entity {
  const text = raw.toString('latin1');
  const gap = /\r?\n\r?\n/.exec(text);
  const head = gap ? text.slice(0, gap.index) : text;
  const headers = new Map<string, string>();
  for (const line of head.replaceAll(/\r?\n(?=[ \t])/g, '').split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { headers, body: gap ? raw.subarray(gap.index + gap[0].length) : Buffer.alloc(0) };
}

const parameter = (header: string, name: string): string | undefined =>
  new RegExp(String.raw`;\s*${name}="?([^";]+)"?`, 'i').exec(header)?.[1];

function contentOf({ headers, body }: Entity, type: string): string {
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase();
  const bytes =
    encoding === 'base64'
      ? Buffer.from(body.toString('latin1'), 'base64')
      : encoding === 'quoted-printable'
        ? quotedPrintable(body.toString('latin1'))
        : body;
  return decodeText(bytes, parameter(type, 'charset') ?? 'utf-8').replaceAll('\r\n', '\n');
}

function partsOf(body: Buffer, boundary: string): Buffer[] {
  const escaped = boundary.replaceAll(/\W/g, String.raw`\$&`);
  const parts = body.toString('latin1').split(new RegExp(String.raw`(?:^|\r?\n)--${escaped}(?:--)?[ \t]*(?=\r?\n|$)`));
  return parts.slice(1, PARTS_MAX).map((part) => Buffer.from(part.replace(/^\r?\n/, ''), 'latin1'));
}

/** The first plain and the first HTML text of an entity, however deep. */
function textsOf(entity: Entity, depth = 0): { text?: string; html?: string } {
  const type = entity.headers.get('content-type') ?? 'text/plain';
  const boundary = parameter(type, 'boundary');
  if (/^multipart\//i.test(type) && boundary !== undefined && depth < DEPTH_MAX)
    return partsOf(entity.body, boundary)
      .map((part) => textsOf(readEntity(part), depth + 1))
      .reduce((found, more) => ({ ...more, ...found }), {});
  if (/^attachment/i.test(entity.headers.get('content-disposition') ?? '')) return {};
  if (/^text\/html/i.test(type)) return { html: contentOf(entity, type) };
  return /^text\/plain/i.test(type) ? { text: contentOf(entity, type) } : {};
}

/** Header values are decoded; what is absent is ''. */
export function parseMail(raw: Buffer): ParsedMail {
  const entity = readEntity(raw);
  const header = (name: string): string =>
    decodeWords(Buffer.from(entity.headers.get(name) ?? '', 'latin1').toString('utf8'));
  const { text = '', html } = textsOf(entity);
  return {
    subject: header('subject'),
    from: header('from'),
    to: header('to'),
    messageId: header('message-id'),
    text,
    ...(html === undefined ? {} : { html }),
  };
}
