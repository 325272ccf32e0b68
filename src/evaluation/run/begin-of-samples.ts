/** How samples begin, once the tokenizer is known. */
import type { Bilingual } from '../../bilingual.js';
import type { Tokenizer } from '../../lm/index.js';
import type { ValidatedRequest } from '../request/resolve.js';

export interface BeginOfSamples {
  /** Whether BOS is put at the head; undefined for the tokenizer's own way. */
  prependBos: boolean | undefined;
  warnings: readonly Bilingual[];
}

const without: Bilingual = {
  en:
    'A file says that each context began with BOS when the SAE was trained; this tokenizer has ' +
    'no BOS, so none was put.',
  zh: '文件说明训练时每个上下文以 BOS 开头；该分词器没有 BOS，因此未添加。',
};

/** The word of the request holds; that of a file only if the tokenizer has a BOS. */
export function beginOfSamples(
  { request, prependBos }: Pick<ValidatedRequest, 'request' | 'prependBos'>,
  { bosId }: Pick<Tokenizer, 'bosId'>,
): BeginOfSamples {
  const isAsked = request.dataset.prependBos !== undefined;
  if (prependBos === true && bosId === null && !isAsked)
    return { prependBos: undefined, warnings: [without] };
  return { prependBos, warnings: [] };
}
