/** Base configuration: name, size, where local mail goes. */
import type { Request, Router } from 'express';
import { largestAttachmentMb } from '../lib/base/attachment.js';
import { baseForm, sizeOf } from '../lib/base/form.js';
import { LMTP_PRESETS, MAX_MESSAGE_SIZE_MB, type BaseSettings } from '../lib/base/schema.js';
import type { BaseService } from '../lib/base/service.js';
import type { Current } from '../lib/settings/service.js';
import type { TlsService } from '../lib/tls/service.js';
import { viewSummary } from '../lib/tls/view.js';
import { oneText } from '../lib/web/fields.js';
import { settingsRoutes } from '../lib/web/settings-page.js';
import type { Web } from '../lib/web/web.js';
import { TLS_PATH } from './tls.js';

const PATH = '/configuration/base';
/** smtpd(8) takes a mail while this many times the size limit is free in the queue (postconf(5), queue_minfree). */
const QUEUE_ROOM_FACTOR = 1.5;

export function baseRoutes(
  router: Router,
  web: Web,
  service: BaseService,
  tls: Pick<TlsService, 'current' | 'means'>,
): void {
  const { pages, host } = web;

  settingsRoutes(router, web, {
    path: PATH,
    view: 'base/index',
    menu: 'configuration',
    tab: 'base',
    form: baseForm,
    service,
    context: async (req, current, values) => ({
      ownName: current.machine?.machineName ?? '',
      maxSize: MAX_MESSAGE_SIZE_MB,
      presets: presets(req),
      sizeMeans: sizeMeans(req, values['maxMessageSizeMb'] ?? ''),
      limits: limits(req, current),
      tls: { sentences: await tlsSummary(req), href: req.baseUrl + TLS_PATH },
    }),
  });

  router.get(`${PATH}/size`, host.requireRole('mail.read'), (req, res) => {
    const size = oneText(req.query, 'maxMessageSizeMb');
    pages.part(req, res, 'base/_size', { sizeMeans: sizeMeans(req, size) });
  });

  /** How mail is protected on its way, which has a page of its own. */
  const tlsSummary = async (req: Request): Promise<readonly string[]> => {
    const [{ settings, source }, means] = await Promise.all([tls.current(), tls.means()]);
    if (source === 'unknown') return [];
    return viewSummary(pages.translator(req), pages.formats(req), settings, means);
  };

  /** What a limit means for attachments; '' when what was typed is no limit. */
  const sizeMeans = (req: Request, typed: string): string => {
    const t = pages.translator(req);
    if (typed === '') return t('base.means.unlimited');
    const size = sizeOf(typed);
    if (size === null || size === 0) return t('base.means.noNumber');
    const attachment = pages.formats(req).megabytes(largestAttachmentMb(size), 1);
    return t('base.means.size', { size: pages.formats(req).megabytes(size, 2), attachment });
  };

  const presets = (req: Request): readonly object[] => {
    const t = pages.translator(req);
    const known = Object.entries(LMTP_PRESETS).map(([value, server]) => ({
      value,
      label: t(`base.preset.${value}`, { port: String(server.port) }),
      data: [
        { name: 'lmtp-host', value: server.host },
        { name: 'lmtp-port', value: server.port },
      ],
    }));
    return [{ value: '', label: t('base.preset.none'), data: [] }, ...known];
  };

  /** Everything else on a mail's way that refuses large ones. */
  const limits = (req: Request, { machine }: Current<BaseSettings>): readonly string[] => {
    const t = pages.translator(req);
    const format = pages.formats(req);
    const room =
      machine === null
        ? t('base.limit.room')
        : t('base.limit.roomNow', {
            room: format.bytes(machine.queueFreeBytes),
            size: format.bytes(machine.queueFreeBytes / QUEUE_ROOM_FACTOR),
          });
    return [room, t('base.limit.scanner'), t('base.limit.others')];
  };
}
