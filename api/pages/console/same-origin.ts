/** Whether a form was sent by a page of ours, as the browser tells it. Pure. */

export type Sent = {
  /** Sec-Fetch-Site and Origin, empty where the browser sent none. */
  site: string;
  origin: string;
  host: string;
};

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}

/**
 * Browsers that say from which site a request comes are believed; others by the origin, which has to be ours. One that says
 * neither is no browser, and programs have the API.
 */
export function isFromOurPage({ site, origin, host }: Sent, publicUrl: string): boolean {
  if (site !== '') return site === 'same-origin';
  const from = hostOf(origin);
  return from !== undefined && (from === host || from === hostOf(publicUrl));
}
