/** Values of `main.cf` that hold a password themselves: nobody is shown them. */

/** Parameters whose tables say passwords; as `inline:` or `static:` the table stands in main.cf. */
const PASSWORD_TABLES = /^(?:smtp|lmtp)_sasl_password_maps$/;
const TABLE_IN_PLACE = /\b(?:inline|static):/;

/** What stands in the place of such a value. */
export const HIDDEN_VALUE = '***';

/** The value, or `HIDDEN_VALUE` where it holds a password. */
export function shownValue(parameter: string, value: string): string {
  return PASSWORD_TABLES.test(parameter) && TABLE_IN_PLACE.test(value) ? HIDDEN_VALUE : value;
}
