/** Who calls, and what it may do: buttons that the server would refuse are not shown. */
import { call } from './session.js';

let loaded = null;

/** `{ label, role }`, asked for once: the page is loaded again with another key. */
export function loadCaller() {
  loaded ??= call((api) => api.caller());
  loaded.catch(() => (loaded = null));
  return loaded;
}

/** Whether the caller may submit evaluations; not before it is known. */
export const maySubmit = (caller) => caller !== null && caller.role !== 'read';

/** Whether the caller may cancel or remove an evaluation, not only read it. */
export const mayEnd = (caller, { submittedBy }) =>
  maySubmit(caller) && (caller.role === 'admin' || submittedBy === caller.label);
