/** The text of a run as the data layer opens it. */
import type { SampleOptions } from '../../data/samples.js';
import { readChatTemplate } from '../../lm/chat-template.js';
import type { Tokenizer } from '../../lm/index.js';
import type { ValidatedRequest } from '../request/resolve.js';

/** Options for `openSamples`. */
export function textOptions(
  { request, paths }: Pick<ValidatedRequest, 'request' | 'paths'>,
  {
    tokenizer,
    vocabulary,
    prependBos,
  }: { tokenizer: Tokenizer; vocabulary: number; prependBos: boolean | undefined },
): SampleOptions {
  const { dataset, batchSize } = request;
  return {
    ...dataset,
    path: paths.dataset,
    name: dataset.path,
    batchSize,
    tokenizer,
    vocabulary,
    template: dataset.messagesField === undefined ? null : readChatTemplate(paths.model),
    prependBos,
  };
}
