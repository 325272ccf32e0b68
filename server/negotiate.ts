/** Content negotiation by the Accept header (RFC 9110, 12.5.1). */

interface Range {
  type: string;
  quality: number;
}

function parseAccept(header: string): Range[] {
  return header
    .split(',')
    .slice(0, 32)
    .flatMap((part) => {
      const [type = '', ...parameters] = part.trim().toLowerCase().split(';');
      if (type === '') return [];
      const q = parameters
        .map((text) => /^\s*q=([\d.]+)\s*$/.exec(text)?.[1])
        .find((text) => text !== undefined);
      return [{ type: type.trim(), quality: q === undefined ? 1 : Number(q) || 0 }];
    });
}

function qualityOf(ranges: readonly Range[], type: string): number {
  const family = `${type.split('/')[0]}/*`;
  for (const candidate of [type, family, '*/*', '*']) {
    const range = ranges.find((entry) => entry.type === candidate);
    if (range !== undefined) return range.quality;
  }
  return 0;
}

/** The offered language that Accept-Language prefers: `zh` for zh-CN. Null if it takes none. */
export function negotiateLanguage<L extends string>(
  accept: string | undefined,
  offered: readonly L[],
): L | null {
  const plain = accept?.replaceAll(/(^|,)(\s*[a-z]{2,3})-[\w-]+/gi, '$1$2');
  return negotiate(plain, offered) as L | null;
}

/** The offered media type that the header prefers; earlier ones win ties. Null if it takes none. */
export function negotiate(accept: string | undefined, offered: readonly string[]): string | null {
  const ranges = accept === undefined ? [] : parseAccept(accept);
  if (ranges.length === 0) return offered[0] ?? null;
  let best: string | null = null;
  let quality = 0;
  for (const type of offered) {
    const own = qualityOf(ranges, type);
    if (own > quality) [best, quality] = [type, own];
  }
  return best;
}
