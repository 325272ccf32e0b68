/** `/v1/caller`: who calls, so that a page shows only what its key may do. */
import { callerSchema } from '../../src/schema/caller.js';
import { problems, type Api } from './api.js';

export function registerCaller(app: Api): void {
  app.route({
    method: 'GET',
    url: '/caller',
    schema: {
      operationId: 'getCaller',
      tags: ['operations'],
      summary: 'Get the label and the role of the API key that calls',
      response: { 200: callerSchema.describe('The caller.'), ...problems(406) },
    },
    handler: async ({ keyLabel, keyRole }) => ({ label: keyLabel, role: keyRole }),
  });
}
