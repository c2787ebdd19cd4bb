/** What the sections say, held against what they own and what may ever reach `postconf`. */
import { HelperError } from '../../errors.js';
import type { SectionRegistry } from '../../sections/registry.js';
import type {
  AllSettings,
  InnerPort,
  OwnFile,
  Section,
  SectionOutput,
} from '../../sections/section.js';
import type { ConfigView } from '../postfix/config-view.js';

/** Longest value of one parameter, in bytes: it has to fit into one argument of `postconf` (execve(2)). */
export const MAX_VALUE_BYTES = 120_000;

/** Settings are checked with the section's own schema, whatever the web side did. Throws at stage `validate`. */
export function checkSettings(section: Section, settings: unknown): unknown {
  const checked = section.schema.validate(settings, { convert: false, abortEarly: true });
  if (checked.error) {
    throw refuseSettings(section.id, checked.error.details[0]?.path.join('.') ?? '');
  }
  return checked.value;
}

export function refuseSettings(section: string, field: string): HelperError {
  const key = 'helper.validate.settings';
  const values = { section, field };
  return new HelperError({ stage: 'validate', key, values, detail: '', restored: true });
}

export function sectionOrRefuse(registry: SectionRegistry, id: string): Section {
  const section = registry.get(id);
  if (section) return section;
  throw new HelperError({
    stage: 'validate',
    key: 'helper.validate.section',
    values: { section: id.slice(0, 64) },
    detail: '',
    restored: true,
  });
}

/** Throws at stage `validate` when the section refuses to go from `before` to `after`. */
export function refuseStep(
  section: Section,
  before: unknown,
  after: unknown,
  view: ConfigView,
): void {
  const refusal = section.refuses?.(before, after, view);
  if (!refusal) return;
  const values = { section: section.id, field: refusal.field };
  const { key } = refusal;
  throw new HelperError({ stage: 'validate', key, values, detail: '', restored: true });
}

/** What a section says. Throws at stage `render`. The content of a file that is `known` is not made. */
export function render(
  section: Section,
  settings: AllSettings,
  view: ConfigView,
  isKnown: IsKnownFile = () => false,
): SectionOutput {
  return rendered(section, settings, view, (output) => {
    const { files = {} } = output;
    for (const [name, file] of Object.entries(files)) {
      // What cannot be made has to show here.
      if (!isKnown(name, file, output)) void file?.content;
    }
    return Object.keys(files);
  });
}

export type IsKnownFile = (name: string, file: OwnFile | null, output: SectionOutput) => boolean;

/** The same with its files unseen, which take long to make and are of no account in settings that are only compared with. */
export function renderWithoutFiles(
  section: Section,
  settings: AllSettings,
  view: ConfigView,
): SectionOutput {
  return rendered(section, settings, view, () => []);
}

function rendered(
  section: Section,
  settings: AllSettings,
  view: ConfigView,
  filesOf: (output: SectionOutput) => readonly string[],
): SectionOutput {
  try {
    const output = section.render(settings[section.id], view, settings);
    refuseForeign(section, output, filesOf(output), view);
    return output;
  } catch (cause) {
    if (cause instanceof HelperError) throw cause;
    throw new HelperError(
      {
        stage: 'render',
        key: 'helper.render.failed',
        values: { section: section.id },
        detail: cause instanceof RangeError ? cause.message : '',
        restored: true,
      },
      { cause },
    );
  }
}

/** A section that speaks of what it does not own is our bug; it must never reach the disk. */
function refuseForeign(
  section: Section,
  output: SectionOutput,
  files: readonly string[],
  view: ConfigView,
): void {
  const { owns } = section;
  const claims: [Iterable<string>, readonly string[]][] = [
    [Object.keys(output.parameters ?? {}), owns.parameters],
    [Object.keys(output.lists ?? {}), owns.lists],
    [Object.keys(output.master ?? {}), ownedServices(section, view)],
    [Object.keys(output.tables ?? {}), owns.tables],
    [files, owns.files],
    [Object.keys(optionsOf(output)), owns.options ?? []],
    [Object.keys(output.directives ?? {}), owns.directives ?? []],
  ];
  for (const [names, allowed] of claims) {
    for (const name of names) {
      if (!allowed.includes(name) && !isBelow(owns.folders, name)) {
        throw new Error(`${section.id} does not own ${name}`);
      }
    }
  }
}

/** The `master.cf` services of a section; `{amavisIn}` in a name stands for that inner port of this instance. */
export function ownedServices(
  section: Section,
  system: Pick<ConfigView, 'port'>,
): readonly string[] {
  return section.owns.master.map((name) =>
    name.replace(/\{(\w+)\}/, (_, port) => String(system.port(port as InnerPort))),
  );
}

/** One plain file name below one of the folders, nothing deeper and nothing hidden. */
export function isBelow(folders: readonly string[] | undefined, name: string): boolean {
  return (folders ?? []).some(
    (folder) =>
      name.startsWith(`${folder}/`) && /^[A-Za-z0-9][\w.-]*$/.test(name.slice(folder.length + 1)),
  );
}

/** The `-o` options a section puts on services that are not its own, by `name/type/option`. */
export function optionsOf({ masterOptions }: SectionOutput): Record<string, string | null> {
  return Object.fromEntries(
    Object.entries(masterOptions ?? {}).flatMap(([service, options]) =>
      Object.entries(options).map(([option, value]) => [`${service}/${option}`, value]),
    ),
  );
}

/** The last fence: nothing that could add a line or be read as another value reaches `postconf`. */
export function refuseUnsafe(name: string, value: string | null): void {
  if (value === null) return;
  const unsafe = /[\p{Cc}\p{Cs}\u2028\u2029]/u;
  if (unsafe.test(value) || value !== value.trim()) {
    throw refused('helper.render.unsafe', { parameter: name });
  }
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_VALUE_BYTES) {
    throw refused('helper.render.long', { parameter: name, bytes, limit: MAX_VALUE_BYTES });
  }
}

function refused(key: string, values: Record<string, string | number>): HelperError {
  return new HelperError({ stage: 'render', key, values, detail: '', restored: true });
}
