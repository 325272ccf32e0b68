/** Cursors of lists: the place after which a page begins, and the order in which that is one. */
import { z } from 'zod';
import { SaeEvalError } from '../../src/errors.js';
import { listSorts, sortOrders, type ListSort, type SortOrder } from '../../src/schema/list.js';
import type { Place } from '../jobs/listing.js';

interface Order {
  sort: ListSort;
  order: SortOrder;
}

const cursorSchema = z.tuple([
  z.enum(listSorts),
  z.enum(sortOrders),
  z.union([z.string(), z.number(), z.null()]),
  z.number().int().min(0),
]);

export function cursorOf({ value, seq }: Place, { sort, order }: Order): string {
  return Buffer.from(JSON.stringify([sort, order, value, seq])).toString('base64url');
}

function refused(message: string): SaeEvalError {
  return new SaeEvalError('request-invalid', `cursor: ${message}`, {
    fields: [{ path: 'cursor', message }],
  });
}

/** @throws SaeEvalError `request-invalid` for the cursor of another order, or for none. */
export function placeOf(cursor: string, { sort, order }: Order): Place {
  const text = Buffer.from(cursor, 'base64url').toString();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = null;
  }
  const found = cursorSchema.safeParse(parsed);
  if (!found.success) throw refused('expected `nextCursor` of an earlier page');
  const [ofSort, ofOrder, value, seq] = found.data;
  if (ofSort !== sort || ofOrder !== order)
    throw refused(
      `it continues a list by ${ofSort} (${ofOrder}), not by ${sort} (${order}); leave it out`,
    );
  return { value, seq };
}
