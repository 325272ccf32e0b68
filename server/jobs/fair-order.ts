/** Fair order: clients are served round-robin; each client's evaluations stay in their order. */

export interface Waiting {
  id: string;
  client: string;
}

/**
 * @param waiting evaluations, oldest first.
 * @param lastServed number of each client's last serving; clients without one come first.
 */
export function fairOrder(
  waiting: readonly Waiting[],
  lastServed: ReadonlyMap<string, number>,
): string[] {
  const byClient = new Map<string, string[]>();
  for (const { id, client } of waiting) {
    const own = byClient.get(client);
    if (own === undefined) byClient.set(client, [id]);
    else own.push(id);
  }
  // A stable sort keeps clients that were never served in the order of their oldest evaluation.
  const clients = [...byClient.keys()].sort(
    (a, b) => (lastServed.get(a) ?? -1) - (lastServed.get(b) ?? -1),
  );
  const order: string[] = [];
  for (let turn = 0; order.length < waiting.length; turn++) {
    for (const client of clients) {
      const id = byClient.get(client)![turn];
      if (id !== undefined) order.push(id);
    }
  }
  return order;
}
