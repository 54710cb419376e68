/**
 * A stand-in for Udemy's web API, from the fields that public clients of it document: subscribed courses, a curriculum in
 * pages, files at signed addresses. Course 1 is fine; the others are each refused for one reason.
 */
import { Readable } from 'node:stream';
import type { Router } from '@koa/router';
import { sendBytes } from '../send-bytes.ts';

type Asset = Record<string, unknown>;
const video = (id: number, more: Asset = {}): Asset => ({
  _class: 'asset',
  id,
  asset_type: 'Video',
  filename: `video-${id}.mp4`,
  course_is_drmed: false,
  media_license_token: null,
  media_sources: [
    { type: 'video/mp4', src: `BASE/signed/video-${id}-360.mp4?sig=1`, label: '360' },
    { type: 'video/mp4', src: `BASE/signed/video-${id}-720.mp4?sig=1`, label: '720' },
    { type: 'application/x-mpegURL', src: `BASE/signed/video-${id}.m3u8?sig=1`, label: 'auto' },
  ],
  download_urls: null,
  body: null,
  ...more,
});
const download = (id: number, filename: string): Asset =>
  video(id, {
    asset_type: 'File',
    filename,
    media_sources: null,
    download_urls: { File: [{ label: 'download', file: `BASE/signed/file-${id}?sig=1` }] },
  });
const lecture = (id: number, title: string, asset: Asset, extras: Asset[] = []): object => ({
  _class: 'lecture',
  id,
  title,
  asset,
  supplementary_assets: extras,
});
const chapter = (title: string): object => ({ _class: 'chapter', id: 900, title });
const article = (id: number): Asset =>
  video(id, { asset_type: 'Article', media_sources: null, body: '<p>Bài đọc</p>' });
const one = (asset: Asset): object[] => [chapter('Một'), lecture(1, 'Bài', asset)];

const without = (asset: Asset, field: string): Asset =>
  Object.fromEntries(Object.entries(asset).filter(([name]) => name !== field));

/** Course ids, by what is the matter with them. */
export const UDEMY = {
  fine: 1,
  drmed: 2,
  licenceToken: 3,
  dashOnly: 4,
  unsaid: 5,
  unknownKind: 6,
  hiddenStream: 7,
  notEnrolled: 99,
} as const;

const COURSES: Readonly<Record<number, object[]>> = {
  [UDEMY.fine]: [
    lecture(1, 'Chào mừng', article(10)),
    chapter('Mở đầu / Cài đặt'),
    lecture(2, 'Cài đặt', video(11), [download(21, 'Tài liệu.pdf'), download(22, 'Tài liệu.pdf')]),
    { _class: 'quiz', id: 5, title: 'Kiểm tra' },
    chapter('Kết thúc'),
    lecture(3, 'Ôn tập: '.repeat(60), video(12)),
  ],
  [UDEMY.drmed]: one(video(13, { course_is_drmed: true })),
  [UDEMY.licenceToken]: one(video(14, { media_license_token: 'eyJ' })),
  [UDEMY.dashOnly]: one(video(15, { media_sources: [{ type: 'application/dash+xml', src: 'BASE/signed/a.mpd' }] })),
  [UDEMY.unsaid]: one(without(video(16), 'course_is_drmed')),
  [UDEMY.unknownKind]: [...one(video(17)), { _class: 'hologram', id: 1, title: 'x' }],
  [UDEMY.hiddenStream]: one(
    video(18, { media_sources: [{ type: 'video/mp4', src: 'BASE/signed/hidden.m3u8?sig=1', label: '720' }] }),
  ),
};

/** What a signed address leads to. */
const contentOf = (name: string): Buffer => Buffer.alloc(200_000, `Udemy ${name} `);

/** `account` guards everything but the signed addresses, as there. */
export function addUdemyRoutes(router: Router, baseOf: (host: string) => string): void {
  router.get('udemy.subscribed', '/api-2.0/users/me/subscribed-courses/', (ctx) => {
    const ids = Object.keys(COURSES).map(Number);
    const page = Number(ctx.query['page'] ?? 1);
    // Small pages, whatever was asked for.
    const size = 3;
    const results = ids.slice((page - 1) * size, page * size).map((id) => ({ _class: 'course', id }));
    const next = page * size < ids.length ? `${baseOf(ctx.host)}${ctx.path}?page=${page + 1}` : null;
    ctx.body = { count: ids.length, next, previous: null, results };
  });
  router.get('udemy.curriculum', '/api-2.0/courses/:id/subscriber-curriculum-items/', (ctx) => {
    const all = COURSES[Number(ctx['params'].id)];
    if (all === undefined) {
      ctx.status = 403;
      ctx.body = { detail: 'You do not have permission to perform this action.' };
      return;
    }
    const base = baseOf(ctx.host);
    const page = Number(ctx.query['page'] ?? 1);
    // Small, so that a curriculum has several pages whatever was asked for.
    const size = 4;
    const results = JSON.parse(
      JSON.stringify(all.slice((page - 1) * size, page * size)).replaceAll('BASE', base),
    ) as object[];
    const next = page * size < all.length ? `${base}${ctx.path}?page=${page + 1}` : null;
    ctx.body = { count: all.length, next, previous: null, results };
  });
  router.get('udemy.file', '/signed/:name', (ctx) => {
    const name = String(ctx['params'].name);
    const bytes = contentOf(name);
    sendBytes(ctx, {
      size: bytes.length,
      contentType: name.endsWith('.m3u8') ? 'application/vnd.apple.mpegurl' : 'application/octet-stream',
      etag: `"${name}"`,
      open: (start, end) => Readable.from([bytes.subarray(start, end + 1)], { objectMode: false }),
    });
  });
}
