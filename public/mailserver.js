// What a script adds to pages that work without it: the focus on what matters, row menus at the pointer, a tick for all,
// and parts that are fetched anew without losing anybody's place.
(() => {
  'use strict';

  const on = (name, handle) => document.addEventListener(name, handle);
  const menuOf = (element) =>
    element?.closest('.mailserver tr, .mailserver [data-row]')?.querySelector('details.drop') ??
    null;
  const itemsOf = (menu) => [
    ...menu.querySelectorAll(':scope > div :is(a, button):not(:disabled)'),
  ];

  // --- focus: what went wrong, or what was asked for, is read first

  const focusFirst = (root) => root.querySelector?.('[data-focus]')?.focus();

  // --- row menus: one menu, opened by its own button, a right click, the menu key or Shift+F10

  let opener = null;
  let byKeyboard = false;

  const close = (menu, returnFocus) => {
    menu.open = false;
    menu.classList.remove('at-pointer');
    if (returnFocus) (opener?.isConnected ? opener : menu.querySelector('summary')).focus();
    opener = null;
  };
  const closeOthers = (menu) => {
    for (const other of document.querySelectorAll('.mailserver details.drop[open]')) {
      if (other !== menu) close(other, false);
    }
  };

  // Placed at the pointer, then moved so far that all of it can be seen.
  const place = (menu, x, y) => {
    const box = menu.querySelector(':scope > div');
    const origin = menu.getBoundingClientRect();
    const put = (left, top) => {
      menu.style.setProperty('--x', `${left}px`);
      menu.style.setProperty('--y', `${top}px`);
    };
    put(x - origin.left, y - origin.top);
    const seen = box.getBoundingClientRect();
    const page = document.documentElement;
    const back = (end, limit) => Math.max(0, end - limit + 4);
    put(
      x - origin.left - back(seen.right, page.clientWidth),
      y - origin.top - back(seen.bottom, page.clientHeight),
    );
  };

  const openAt = (menu, x, y) => {
    opener = document.activeElement;
    closeOthers(menu);
    menu.open = true;
    menu.classList.add('at-pointer');
    place(menu, x, y);
    itemsOf(menu)[0]?.focus({ preventScroll: true });
  };

  on('contextmenu', (event) => {
    const menu = menuOf(event.target);
    // Where text is typed, marked or linked, the browser's own menu is what people want; Shift asks for it anywhere.
    const own = event.target.closest(
      'input:not([type=checkbox], [type=radio]), textarea, select, a[href]',
    );
    const marked = window.getSelection()?.isCollapsed === false;
    if (menu === null || (!byKeyboard && (own || marked || event.shiftKey))) return;
    event.preventDefault();
    const edge = (byKeyboard ? document.activeElement : event.target).getBoundingClientRect();
    if (byKeyboard) openAt(menu, edge.left, edge.bottom);
    else openAt(menu, event.clientX, event.clientY);
  });

  on('keydown', (event) => {
    byKeyboard = event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey);
    const menu = event.target.closest?.('.mailserver details.drop[open]');
    if (!menu) return;
    const items = itemsOf(menu);
    const at = items.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === 'Escape') close(menu, true);
    else if (step && items.length > 0)
      items.at((at < 0 && step < 0 ? 0 : at + step) % items.length).focus();
    else return;
    event.preventDefault();
  });
  on('pointerdown', (event) => {
    byKeyboard = false;
    closeOthers(event.target.closest('details.drop'));
  });
  on('focusin', (event) => closeOthers(event.target.closest('details.drop')));

  // --- a tick for all rows of a table; without a script it is not shown

  const ticksOf = (all) => [
    ...all.closest('table').querySelectorAll('tbody .tick input:not(:disabled)'),
  ];
  const showAll = (all) => {
    const ticks = ticksOf(all);
    const count = ticks.filter((tick) => tick.checked).length;
    all.checked = count > 0 && count === ticks.length;
    all.indeterminate = count > 0 && count < ticks.length;
    all.hidden = ticks.length === 0;
  };
  on('change', (event) => {
    const { target } = event;
    if (target.matches('input[data-all]')) {
      for (const tick of ticksOf(target)) tick.checked = target.checked;
    }
    const all = target.closest('table')?.querySelector('input[data-all]');
    if (all) showAll(all);
  });

  // --- a choice that brings values for other fields: <option data-lmtp-host="…"> fills the field lmtpHost

  on('change', ({ target }) => {
    const values = target.selectedOptions?.[0]?.dataset ?? {};
    for (const [name, value] of Object.entries(values)) {
      const field = target.form?.elements.namedItem(name);
      if (field) field.value = value;
    }
  });

  // --- parts that htmx fetches anew keep ticks, open rows, focus and place; rows are known by their id

  const addressOf = (element) => {
    const owner = element.closest('[id]');
    if (owner === null) return null;
    const at =
      owner === element ? -1 : [...owner.querySelectorAll(element.tagName)].indexOf(element);
    return { owner: owner.id, tag: element.tagName, at };
  };
  const find = ({ owner, tag, at }) => {
    const element = document.getElementById(owner);
    return at < 0 ? element : (element?.querySelectorAll(tag)[at] ?? null);
  };
  const addresses = (elements) => elements.map(addressOf).filter((address) => address !== null);

  const states = new Map();
  const remember = (part) => {
    const active = part.contains(document.activeElement) ? [document.activeElement] : [];
    states.set(part.id, {
      ticked: new Set([...part.querySelectorAll('.tick :checked')].map((tick) => tick.value)),
      open: addresses([...part.querySelectorAll('details[open]')]),
      focus: addresses(active)[0],
      top: part.scrollTop,
    });
  };
  const restore = (part) => {
    const state = states.get(part.id);
    if (state === undefined) return;
    states.delete(part.id);
    for (const tick of part.querySelectorAll('tbody .tick input')) {
      tick.checked = state.ticked.has(tick.value);
    }
    for (const address of state.open) find(address)?.setAttribute('open', '');
    if (state.focus && !part.contains(document.activeElement))
      find(state.focus)?.focus({ preventScroll: true });
    part.scrollTop = state.top;
  };

  // --- answers that are not ours: the host's sign-in page, a proxy's error

  // The same form once more, as a browser sends it: the host then keeps what was typed, or says what is wrong.
  const sendPlainly = (form, submitter) => {
    if (submitter?.name) {
      const button = document.createElement('input');
      Object.assign(button, { type: 'hidden', name: submitter.name, value: submitter.value });
      form.append(button);
    }
    form.submit();
  };

  on('htmx:beforeSwap', (event) => {
    const { detail } = event;
    const { elt, triggeringEvent } = detail.requestConfig ?? {};
    if (detail.xhr.getResponseHeader('Mail-Part') === null) {
      detail.shouldSwap = false;
      if (elt?.matches('form[method=post]')) sendPlainly(elt, triggeringEvent?.submitter);
      else if (elt?.matches('[hx-push-url]')) window.location.assign(detail.pathInfo.requestPath);
    } else if (detail.target.matches('[data-live][id]')) {
      remember(detail.target);
    }
  });

  on('htmx:oobBeforeSwap', ({ detail }) => {
    if (detail.target.matches('[data-live][id]')) remember(detail.target);
  });

  const settled = (root) => {
    for (const all of root.querySelectorAll('input[data-all]')) showAll(all);
    for (const part of document.querySelectorAll('[data-live][id]')) restore(part);
    focusFirst(root);
  };
  on('DOMContentLoaded', () => settled(document));
  on('htmx:afterSettle', (event) => settled(event.detail.elt));
})();
