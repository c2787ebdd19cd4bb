/** The helper's actions with their types, as the web side calls them. */
import type { HelperCallOptions, HelperTransport } from '../contract.js';
import type { ActionName, ParamsOf, ResultOf } from '../privileged/actions/index.js';

export interface Helper {
  call<Name extends ActionName>(
    action: Name,
    params: ParamsOf<Name>,
    options: HelperCallOptions,
  ): Promise<ResultOf<Name>>;
}

/** What the helper answers is taken at its word: it is the trusted side. */
export function createHelper(transport: HelperTransport): Helper {
  return {
    call: async <Name extends ActionName>(
      action: Name,
      params: ParamsOf<Name>,
      options: HelperCallOptions,
    ) => {
      const plain = params as Readonly<Record<string, unknown>>;
      return (await transport.request(action, plain, options)) as ResultOf<Name>;
    },
  };
}
