/** The shared list parameters: who may put entries where. The one place that knows the order. */

export interface SharedList {
  /** Slots in the order in which their entries stand. */
  readonly slots: readonly string[];
  /** `start`: before all foreign entries; `end`: after them. */
  readonly place: 'start' | 'end';
  /** Whether Postfix compares the elements without regard to case, as it does domain names. */
  readonly foldsCase?: boolean;
  /** Whether the order of our elements says nothing: what is there already stays where it is. */
  readonly unordered?: boolean;
}

export const SHARED_LISTS: Readonly<Record<string, SharedList>> = {
  mydestination: { slots: ['domains'], place: 'end', foldsCase: true, unordered: true },
  mynetworks: { slots: ['relay'], place: 'end' },
  virtual_alias_maps: { slots: ['exact', 'bare', 'identity'], place: 'start' },
  smtp_tls_policy_maps: { slots: ['smarthost'], place: 'start' },
  smtpd_restriction_classes: { slots: ['exceptions', 'policy'], place: 'end' },
  smtpd_client_restrictions: { slots: ['exceptions', 'policy'], place: 'start' },
  smtpd_relay_restrictions: { slots: ['relay'], place: 'start' },
  smtpd_recipient_restrictions: { slots: ['exceptions', 'policy'], place: 'end' },
};

export function layoutOf(list: string): SharedList {
  const layout = SHARED_LISTS[list];
  if (!layout) throw new RangeError(`not a shared list: ${list}`);
  return layout;
}

/** Entries of all features for one list, in slot order; entries of one slot keep their order. */
export function inSlotOrder(
  list: string,
  entries: readonly { readonly slot: string; readonly value: string }[],
): readonly string[] {
  const { slots } = layoutOf(list);
  const unknown = entries.find((entry) => !slots.includes(entry.slot));
  if (unknown) throw new RangeError(`${list} has no slot ${unknown.slot}`);
  return slots.flatMap((slot) =>
    entries.filter((entry) => entry.slot === slot).map((entry) => entry.value),
  );
}
