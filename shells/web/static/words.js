// The plain words for what a trace says. The names of steps and reasons are those of the server;
// what is not known here is shown as it came.

const STEPS = {
  accepted: () => 'The server received the message.',
  committed: () => 'It is on stable storage. From here on it cannot be lost.',
  delivered: (device) => `It was written to the connection of ${device}.`,
  stored: (device) => `${device} stored it. Nobody has seen it yet.`,
  surfaced: (device) => `${device} showed it, in the app or as a notification.`,
  deadline: (device) => `The wait for ${device} is over.`,
  provider: (device) => `The push provider answered for ${device}.`,
  read: (device, uid) => `${uid} read it, on ${device}.`,
  withdrawn: (device) => `Its notification on ${device} was taken back.`,
  arrived: (device) => `${device} says the push arrived.`,
  clicked: (device) => `Somebody opened the notification on ${device}.`,
};

/** Why a wait ended. The same names say why a push was decided. */
const DUE = {
  foreground_deadline: 'The app was on the screen, but did not say in time that it showed it.',
  grace_deadline: 'The app promised to post a notification itself, but did not say so in time.',
  background: 'The app said it left the screen and posts nothing itself, so there was no wait.',
  unresponsive: 'The device missed an earlier deadline and has been silent since.',
  offline: 'The device had no connection.',
};

/** Why a phone stayed silent, and how a withdrawal went. */
const OTHER = {
  confirmed: 'The device confirmed it.',
  room: 'Live chat rooms are never pushed.',
  own_message: 'The user wrote it.',
  not_member: 'The user was no longer a member.',
  signed_out: 'The device had signed out or was kicked.',
  already_surfaced: 'The device had shown it meanwhile.',
  already_read: 'The user had read it meanwhile, on some device.',
  recalled: 'The sender had taken it back.',
  sender_silent: 'The sender asked for silence.',
  expired: 'Its time was over before it could be pushed.',
  no_binding: 'The device has no address at a push provider.',
  illegal_binding: 'The provider refused every address the device has.',
  provider_reject: 'The provider refused this message for good.',
};

const OUTCOMES = {
  delivered: 'The provider took it.',
  retry: 'A passing fault; it is tried again.',
  token_invalid: 'The address of the device is dead.',
  throttled: 'Too many at once; it is tried again.',
  too_large: 'It was too large; it is trimmed and sent again.',
  auth_expired: 'The provider did not accept our keys any more.',
  config_error: 'The keys or the settings are wrong; the operator has to act.',
  reject: 'The provider refused this message for good.',
};

/** Whether a decision with this reason was to push. */
const isPush = (reason) => reason in DUE;

/** `{text, why}` of one event: what happened, and the reason in plain words or null. */
export function describe({ step, device_id: device, reason }, uid) {
  const where = device ?? 'a device';
  if (step === 'decided') {
    const text = isPush(reason) ? `Decision: push to ${where}.` : `Decision: no push to ${where}.`;
    return { text, why: isPush(reason) ? null : whyOf(reason) };
  }
  const text = STEPS[step]?.(where, uid) ?? step;
  return { text, why: whyOf(reason) };
}

function whyOf(reason) {
  if (!reason) return null;
  return DUE[reason] ?? OTHER[reason] ?? OUTCOMES[reason.split(' ')[0]] ?? null;
}

export const MODES = {
  foreground: 'The app can be seen. What arrives is surfaced, and read in the open chat.',
  background:
    'The app told the server that it left the screen. It stores what arrives and shows nothing, so the server pushes at once.',
  frozen:
    'The system suspended the app without a word. The socket stays open and nothing is answered: the server has to find out.',
  offline: 'There is no network and no connection. What you write waits in the outbox.',
};

const LINK = {
  offline: 'offline',
  connecting: 'connecting…',
  online: 'online',
  frozen: 'frozen, socket open',
};

/** The state of the link in words. */
export function linkWords({ state, retryAt, reason }, now) {
  if (state === 'ended') return reason === 'replaced' ? 'taken over' : 'signed out';
  if (state !== 'waiting') return LINK[state];
  const seconds = Math.ceil((retryAt - now) / 1000);
  return seconds > 0 ? `no server, again in ${seconds} s` : 'no server, again now';
}
