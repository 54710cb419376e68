/** Places that callers hold for a while, a few each. */
export type Places = {
  /** Answers how to give the place back, or undefined when `whom` has all of his. */
  take: (whom: string) => (() => void) | undefined;
};

export function makePlaces(ofOneMax: number): Places {
  const taken = new Map<string, number>();
  return {
    take: (whom) => {
      const before = taken.get(whom) ?? 0;
      if (before >= ofOneMax) return undefined;
      taken.set(whom, before + 1);
      let given = false;
      return () => {
        if (given) return;
        given = true;
        const left = (taken.get(whom) ?? 1) - 1;
        if (left === 0) taken.delete(whom);
        else taken.set(whom, left);
      };
    },
  };
}
