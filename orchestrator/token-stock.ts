/** Access tokens minted ahead, each handed out once, so that a job that finds a standby does not wait for Google. */

/** Google's tokens live for an hour; what is handed out has most of it left. */
const TOKEN_MAX_AGE_MS = 10 * 60_000;
/** Signing for the next one would hold up the job that took one. */
const REFILL_AFTER_TAKE_MS = 250;

export type TokenStock = {
  /** Resolves at once when a fresh token is in stock. Rejects with what minting rejects with. */
  take: () => Promise<string>;
  stop: () => void;
};

/** Keeps `size` tokens. A failure to mint ahead is not an error: the taker then mints, and hears of it. */
export function stockTokens(mint: () => Promise<string>, size: number): TokenStock {
  const stock: { token: string; mintedAt: number }[] = [];
  let minting = 0;
  let stopped = false;

  function refill(): void {
    while (!stopped && stock.length + minting < size) {
      minting += 1;
      mint()
        .then((token) => stock.push({ token, mintedAt: Date.now() }))
        .catch(() => undefined)
        .finally(() => {
          minting -= 1;
        })
        .catch(() => undefined);
    }
  }
  const dropStale = (): void => {
    while (stock[0] && Date.now() - stock[0].mintedAt > TOKEN_MAX_AGE_MS) stock.shift();
  };
  const renewal = setInterval(() => {
    dropStale();
    refill();
  }, TOKEN_MAX_AGE_MS);
  renewal.unref();

  refill();
  return {
    take: async () => {
      dropStale();
      const ready = stock.shift();
      setTimeout(refill, REFILL_AFTER_TAKE_MS).unref();
      return ready?.token ?? mint();
    },
    stop: () => {
      stopped = true;
      clearInterval(renewal);
    },
  };
}
