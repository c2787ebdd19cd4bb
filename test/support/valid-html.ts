/** Whether a page is right HTML, as html-validate sees it. */
import { HtmlValidate } from 'html-validate';

const validator = new HtmlValidate({
  extends: ['html-validate:recommended', 'html-validate:document'],
  rules: {
    // Both are right (HTML standard, 13.1.1); prettier writes the small one.
    'doctype-style': 'off',
    // A page whose work still runs asks again by itself where there is no script.
    'meta-refresh': 'off',
    // Everything comes from the console itself.
    'require-sri': ['error', { target: 'crossorigin' }],
    // A name that comes more than once is a list: ticked rows.
    'form-dup-name': ['error', { shared: ['radio', 'button', 'submit', 'checkbox'] }],
    // A button in a form sends it: that is what the pages mean.
    'no-implicit-button-type': 'off',
  },
});

/** Fields of different kinds that are one list: people who are ticked and addresses that are typed. */
const MIXED_LISTS = /^Duplicate form control name "targets"$/;

/** One line for each thing that is wrong; empty for a right page. */
export async function htmlProblems(html: string): Promise<string[]> {
  const report = await validator.validateString(html);
  return report.results.flatMap(({ messages }) =>
    messages
      .filter(({ message }) => !MIXED_LISTS.test(message))
      .map(({ line, ruleId, message }) => `line ${String(line)}: ${ruleId}: ${message}`),
  );
}
