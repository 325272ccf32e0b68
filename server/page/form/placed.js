/** Problems of a request, each at the field that it names, or at the nearest that the form has. */
import { requestFields, saeFields } from './fields.js';

const saePaths = new Set(saeFields.map(({ path }) => path));
const paths = new Set(requestFields.map(({ path }) => path));

function isField(path) {
  const [, field] = /^saes\[\d+\]\.(.+)$/.exec(path) ?? [];
  return field === undefined ? paths.has(path) : saePaths.has(field);
}

/** `dataset.skip[0]` → `dataset.skip` → `dataset`. */
const parentOf = (path) => path.replace(/(?:\.[^.[\]]+|\[[^\]]*\]|^[^.[\]]+)$/, '');

/** The path of the control at which a problem is shown; null: beside the form. */
function placeOf(path) {
  for (let one = path; one !== ''; one = parentOf(one)) if (isField(one)) return one;
  return null;
}

/**
 * Problems by path of their control; `''` has those of no control, with their paths.
 *
 * @param errors `{ path, message }`
 */
export function placed(errors) {
  const found = new Map();
  for (const { path, message } of errors) {
    const place = placeOf(path) ?? '';
    // A path below the field, such as `metrics[3]`, says which part is wrong.
    const text = place === path ? message : path === '' ? message : `${path}: ${message}`;
    found.set(place, [...(found.get(place) ?? []), text]);
  }
  return found;
}
