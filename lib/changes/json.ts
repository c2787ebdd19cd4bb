/** JSON for jsonb columns, which take neither NUL nor half a surrogate pair; a tool's output may hold both. */

const NUL = /\0/g;
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;
const REPLACEMENT = '\uFFFD';

/** `value` as JSON text; what jsonb cannot hold becomes U+FFFD. For words that are shown, not for settings. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'string'
      ? inner.replace(NUL, REPLACEMENT).replace(LONE_SURROGATE, REPLACEMENT)
      : inner,
  );
}
