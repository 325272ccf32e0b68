/** What the list shows, kept in the address so that it can be bookmarked and sent. */
import { replaceQuery } from '../shell/address.js';

const filters = ['q', 'name', 'tag', 'label', 'status'];
const fields = [...filters, 'sort', 'order', 'limit'];

/** @returns the texts of the address by field; the empty text for those that it lacks */
export function readQuery(query) {
  return Object.fromEntries(fields.map((field) => [field, query.get(field) ?? '']));
}

export function writeQuery(shown) {
  replaceQuery(new URLSearchParams(givenOf(shown)));
}

/** The fields that are given, as the API takes them. */
export function givenOf(shown) {
  return Object.fromEntries(Object.entries(shown).filter(([, text]) => text !== ''));
}

export function isFiltered(shown) {
  return filters.some((field) => shown[field] !== '');
}
