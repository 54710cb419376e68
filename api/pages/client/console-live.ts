/** Loads the page again when something moved, unless somebody is at work on it. Without this script it is loaded now and then. */
const place = document.querySelector<HTMLElement>('[data-live]');

/** Somebody reads, writes or marks: the page stays until he is done. */
function isInUse(): boolean {
  const active = document.activeElement;
  const isTyping =
    active instanceof HTMLElement && active.matches('main input, main select, main textarea, main button');
  const isOpen = document.querySelector('main details[open]') !== null;
  const isMarked = (document.getSelection()?.toString() ?? '') !== '';
  return isTyping || isOpen || isMarked;
}

const LOOK_AGAIN_MS = 1_000;
/** A page that changes all the time cannot be read. */
const RELOAD_EVERY_MS = 3_000;

if (place) {
  const { live = '', text = '', lost = '' } = place.dataset;
  const source = new EventSource(live);
  let waiting: number | undefined;
  source.addEventListener('open', () => {
    place.textContent = text;
    place.classList.remove('lost');
  });
  source.addEventListener('error', () => {
    place.textContent = lost;
    place.classList.add('lost');
  });
  source.addEventListener('moved', () => {
    waiting ??= window.setInterval(() => {
      if (isInUse() || document.hidden || performance.now() < RELOAD_EVERY_MS) return;
      window.clearInterval(waiting);
      location.reload();
    }, LOOK_AGAIN_MS);
  });
  window.addEventListener('pagehide', () => source.close());
}
