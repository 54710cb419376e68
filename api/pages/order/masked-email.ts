/** Enough of an address for its owner to see that it is the right one: `n•••@gmail.com`. The link may be shown around. */
export function maskedEmail(email: string): string {
  const at = email.lastIndexOf('@');
  return `${email.slice(0, Math.min(1, at))}•••${email.slice(at)}`;
}
