/**
 * A request that is being written: the texts of its controls by path, and what the form has no
 * control for. Only what was given is in it, so that files and server decide about the rest.
 */
import { requestFields, saeFields } from './fields.js';
import { isEmpty, textOf, valueOf } from './values.js';

let lastKey = 0;

/** @param texts of the fields by name */
export const newSae = (texts = {}) => ({ key: (lastKey += 1), texts, rest: {} });

/** A request without what `fields` have controls for; nested objects are searched too. */
function restOf(value, known, prefix = '') {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) => {
      const path = `${prefix}${name}`;
      if (known.has(path)) return [];
      const isParent = [...known].some((other) => other.startsWith(`${path}.`));
      if (!isParent || one === null || typeof one !== 'object' || Array.isArray(one))
        return [[name, one]];
      const inner = restOf(one, known, `${path}.`);
      return Object.keys(inner).length === 0 ? [] : [[name, inner]];
    }),
  );
}

function at(value, path) {
  return path.split('.').reduce((one, name) => one?.[name], value);
}

/** Records have every default filled in; those are left to the server again. */
function textsOf(fields, value) {
  return Object.fromEntries(
    fields.flatMap((field) => {
      const text = textOf(field, at(value, field.path));
      return isEmpty(text) || text === field.initial ? [] : [[field.path, text]];
    }),
  );
}

const requestPaths = new Set([...requestFields.map(({ path }) => path), 'saes']);
const saePaths = new Set(saeFields.map(({ path }) => path));

/** The draft of a request, whatever else it has. */
export function draftOf(request) {
  const saes = Array.isArray(request.saes) ? request.saes : [];
  const rest = restOf(request, requestPaths);
  return {
    texts: textsOf(requestFields, request),
    saes: saes.map((sae) => ({
      ...newSae(textsOf(saeFields, sae ?? {})),
      rest: restOf(sae ?? {}, saePaths),
    })),
    rest: Object.keys(rest).length === 0 ? '' : JSON.stringify(rest, null, 2),
  };
}

export const emptyDraft = () => ({ texts: {}, saes: [], rest: '' });

/** Sets a value at a dotted path. */
function put(target, path, value) {
  const names = path.split('.');
  const last = names.pop();
  const parent = names.reduce((one, name) => (one[name] ??= {}), target);
  parent[last] = value;
}

function fill(target, fields, texts, prefix, problems) {
  for (const field of fields) {
    const text = texts[field.path];
    if (isEmpty(text)) continue;
    try {
      put(target, field.path, valueOf(field, text));
    } catch (error) {
      problems.push({ path: `${prefix}${field.path}`, error });
    }
  }
  return target;
}

/**
 * The request of a draft.
 *
 * @returns {{ request: object, problems: { path: string, error: Error }[] }} texts that cannot be
 *   values are left out and named
 */
export function requestOf({ texts, saes, rest }) {
  const problems = [];
  let other = {};
  try {
    if (rest.trim() !== '') other = JSON.parse(rest);
  } catch (error) {
    problems.push({ path: 'rest', error });
  }
  const request = fill(structuredClone(other), requestFields, texts, '', problems);
  request.saes = saes.map((sae, index) =>
    fill({ ...sae.rest }, saeFields, sae.texts, `saes[${index}].`, problems),
  );
  return { request, problems };
}
