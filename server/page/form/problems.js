/** Problems of a request that are known before the server is asked. */
import { words } from '../language/words.js';
import { requestFields } from './fields.js';
import { isEmpty, ValueError } from './values.js';

/** @returns `{ path, message }` of each */
export function ownProblems(draft, unreadable, fileOf) {
  const { form } = words();
  const missing = requestFields
    .filter(({ path, required }) => required && isEmpty(draft.texts[path]))
    .map(({ path }) => ({ path, message: form.mustBeGiven }));
  const saes = draft.saes.flatMap(({ texts }, index) => {
    const at = (name) => `saes[${index}].${name}`;
    if (isEmpty(texts.checkpoint))
      return isEmpty(texts.checkpoints)
        ? [{ path: at('checkpoint'), message: form.mustBeGiven }]
        : [];
    const { file, choice } = fileOf(texts);
    if (file === null || file.error) return [];
    if (file.obstacle)
      return [{ path: at('checkpoint'), message: form.cannotBeEvaluated(file.obstacle) }];
    return ((choice ?? file.choices[0])?.fields ?? [])
      .filter(({ field, state, instead }) => {
        if (field === 'kind') return choice === null;
        const isGiven = [field, instead].some((name) => name && !isEmpty(texts[name]));
        return state === 'required' && !isGiven && choice !== null;
      })
      .map(({ field, reason }) => ({ path: at(field), message: `${form.mustBeGiven}: ${reason}` }));
  });
  const texts = unreadable.map(({ path, error }) => ({
    path,
    message:
      error instanceof ValueError
        ? form.expected(form.types[error.expected], error.found)
        : error.message,
  }));
  const none = draft.saes.length === 0 ? [{ path: 'saes', message: form.oneSae }] : [];
  return [...missing, ...none, ...saes, ...texts];
}
