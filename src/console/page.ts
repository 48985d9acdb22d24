import type { AlertEvent } from '../entities/alert-event.js';
import type { AlertPhase } from '../entities/alert-state.js';
import type { Device } from '../entities/device.js';
import type { Probe } from '../entities/probe.js';
import type { TemperatureAlert } from '../entities/temperature-alert.js';
import type { ThermoworksCredential } from '../entities/thermoworks-credential.js';
import type { User } from '../entities/user.js';
import { type Html, html } from '../html.js';
import { durationOf, shown, timeOf } from './format.js';
import type { Overview } from './overview.js';

/** All there is, for whose eyes (their unit and time zone) and at which moment. */
interface View extends Overview {
  user: User;
  now: Date;
}

/** The whole page; `live.js` puts the `<main>` of a newer one in the place of this one's. */
export function renderPage(overview: Overview, now: Date): string {
  const { accounts, devices, states, events } = overview;
  const firing = [...states.values()].filter((of) => of.some(({ phase }) => phase === 'firing')).length;
  const title = firing > 0 ? `(${firing}) Grill Stats` : 'Grill Stats';
  const users = new Map([...accounts, ...devices].map(({ userId, user }) => [userId, user]));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="favicon.svg">
<link rel="stylesheet" href="console.css">
<script src="live.js" defer></script>
</head>
<body>
<header><a class="brand" href="./"><img src="favicon.svg" alt="" width="28" height="28">Grill Stats</a>
<nav><a href="queues">Queues</a><a href="health">Health</a><a href="metrics">Metrics</a></nav></header>
<main data-title="${title}">
${[...users.values()].map((user) => user && renderOwner({ ...overview, user, now }))}
${users.size === 0 && WELCOME}
${events.length > 0 && html`<section><h2>Last alerts</h2><ul class="events">${events.map((event) => renderEvent(event, now))}</ul></section>`}
</main>
</body>
</html>`.text;
}

const WELCOME = html`<section class="welcome"><h1>No account is linked yet</h1>
<p>Link a ThermoWorks account, and its probes appear here with the next poll:</p>
<pre>grill-stats user create --email you@example.com
grill-stats account link --email you@example.com \\
  --thermoworks-email you@example.com --password-stdin</pre></section>`;

function renderOwner(view: View): Html {
  const { user } = view;
  const devices = view.devices.filter(({ userId }) => userId === user.id);
  const account = view.accounts.find(({ userId }) => userId === user.id);
  return html`<section><h2>${user.name ?? user.email} <small>${user.name && user.email}</small></h2>
${account && renderTrouble(account, user)}
<div class="devices">${devices.map((device) => renderDevice(device, view))}</div>
${devices.length === 0 && html`<p class="muted">No devices yet: they appear with the first poll.</p>`}</section>`;
}

function renderTrouble({ status, lastError }: ThermoworksCredential, { email }: User): Html | false {
  if (status === 'paused') return html`<p class="banner">Polling is paused.</p>`;
  if (status === 'degraded')
    return html`<p class="banner"><strong>The last poll failed</strong> and is tried again. ${lastError}</p>`;
  return (
    status === 'needs_reauth' &&
    html`<p class="banner bad"><strong>ThermoWorks asks to sign in again.</strong> Nothing is read until then:
<code>grill-stats account link --email ${email} --thermoworks-email … --password-stdin</code></p>`
  );
}

function renderDevice(device: Device, view: View): Html {
  const { now, user } = view;
  const own = (row: { deviceId: string; userId: number }) =>
    row.deviceId === device.deviceId && row.userId === user.id;
  const alerts = view.alerts.filter(own);
  const probes = (device.probes ?? []).filter(own);
  probes.sort((a, b) => a.probeId.localeCompare(b.probeId, 'en', { numeric: true }));
  const battery = device.batteryPercent;
  const sessions = view.sessions.filter(own).map(({ name, startTime }) => {
    const since = `since ${timeOf(startTime, user.timeZone, now)}`;
    return html`<p class="session"><strong>${name ?? `Cook ${since}`}</strong>
<span>${name && `${since} · `}${durationOf(now.getTime() - startTime.getTime())}</span></p>`;
  });
  return html`<article><header><h3>${nameOf(device)}</h3>
${battery !== null && html`<span class="${battery <= 15 && 'low'}">${battery} % battery</span>`}
<small>${[device.model ?? device.type, device.deviceId].filter(Boolean).join(' · ')}</small></header>
${sessions}${renderAlerts(
  alerts.filter(({ probeId }) => probeId === null),
  view,
)}
${probes.map((probe) => renderProbe(probe, device, alerts, view))}</article>`;
}

function renderProbe(probe: Probe, device: Device, ofDevice: TemperatureAlert[], view: View): Html {
  const { now, user } = view;
  const { lastMeasuredAt: at, lastValue, lastUnit } = probe;
  const label = labelOf(probe);
  const alerts = ofDevice.filter(({ probeId }) => probeId === probe.probeId);
  const isFiring = alerts.some((alert) => phaseOf(alert, view) === 'firing');
  const value = lastValue !== null && lastUnit && shown(lastValue, lastUnit, user.temperatureUnit);
  const trouble = troubleOf(probe, device, view);
  const stats = view.stats.get(probe.id);
  const { temperatureUnit = 'F' } = stats?.session ?? {};
  const figure = (word: string, number: number) =>
    html`<span>${word} <b>${shown(number, temperatureUnit, user.temperatureUnit).number}</b></span>`;
  return html`<div class="probe ${isFiring && 'firing'}"><h4>${label} <small>${probe.role !== label.toLowerCase() && probe.role}</small></h4>
${trouble || !value ? html`<p class="value none">${trouble ?? 'no reading yet'}</p>` : html`<p class="value">${value.number}<small>${value.unit}</small></p>`}
${renderTrace(view.traces.get(probe.id) ?? [])}
<p class="facts">${at && html`<time datetime="${at.toISOString()}">${durationOf(now.getTime() - at.getTime())} ago</time>`}
${stats && [figure('min', stats.minTemperature), figure('avg', stats.avgTemperature), figure('max', stats.maxTemperature)]}</p>
${renderAlerts(alerts, view)}</div>`;
}

/** Why the last value is not the present one; undefined if it is. */
function troubleOf(probe: Probe, device: Device, { user, now }: View): string | undefined {
  const { state, lastMeasuredAt, unknownUnit } = probe;
  if (state === 'absent') return 'no probe';
  if (state === 'disabled') return 'switched off';
  if (state === 'fault') return unknownUnit ? `unknown unit ${unknownUnit}` : 'probe fault';
  // A probe that reports only changes may be silent while its gateway is not.
  const heardAt = Math.max(lastMeasuredAt?.getTime() ?? 0, device.lastSeenAt?.getTime() ?? 0);
  const patienceMs = Math.max(600, 3 * (device.transmitIntervalSeconds ?? 0)) * 1000;
  if (!lastMeasuredAt || (state === 'ok' && now.getTime() - heardAt <= patienceMs)) return undefined;
  return `stale since ${timeOf(lastMeasuredAt, user.timeZone, now)}`;
}

/** A line over the minutes, from the lowest value to the highest. */
function renderTrace(trace: [number, number][]): Html | false {
  const [from, to] = [trace.at(0), trace.at(-1)];
  if (!from || !to || from === to) return false;
  const values = trace.map(([, value]) => value);
  const low = Math.min(...values);
  const span = Math.max(Math.max(...values) - low, 1);
  const points = trace.map(
    ([minute, value]) => `${minute - from[0]},${(34 - ((value - low) / span) * 32).toFixed(1)}`,
  );
  return html`<svg class="trace" viewBox="0 0 ${to[0] - from[0]} 36" preserveAspectRatio="none" aria-hidden="true"><polyline points="${points.join(' ')}"/></svg>`;
}

const PHASE_WORDS = {
  firing: 'firing',
  recovering: 'recovering',
  pending: 'holding',
  inactive: 'armed',
} as const;

/** The worst of the alert's sides and tiers. */
function phaseOf({ id }: TemperatureAlert, { states }: View): AlertPhase {
  const isIn = (phase: AlertPhase) => states.get(id)?.some((state) => state.phase === phase);
  return (['firing', 'recovering', 'pending'] as const).find(isIn) ?? 'inactive';
}

function renderAlerts(alerts: TemperatureAlert[], view: View): Html | false {
  const items = alerts.map((alert) => {
    const phase = phaseOf(alert, view);
    return html`<li class="${phase}"><span>${alert.name ?? ruleOf(alert)}</span><small>${alert.name && ruleOf(alert)}</small><em>${PHASE_WORDS[phase]}</em></li>`;
  });
  return items.length > 0 && html`<ul class="alerts">${items}</ul>`;
}

function ruleOf(alert: TemperatureAlert): string {
  const { alertType, direction, targetTemperature, temperatureUnit: unit } = alert;
  if (alertType === 'target') return `${direction === 'down' ? '≤' : '≥'} ${targetTemperature} °${unit}`;
  if (alert.thresholdValue !== null && alert.windowSeconds !== null)
    return `${alertType} ${alert.thresholdValue} °${unit} in ${Math.round(alert.windowSeconds / 60)} min`;
  const low = alert.minTemperature ?? alert.criticalMinTemperature;
  const high = alert.maxTemperature ?? alert.criticalMaxTemperature;
  if (alertType === 'battery') return `battery ≤ ${alert.batteryPercent ?? alert.criticalBatteryPercent} %`;
  if (alertType !== 'range') return alertType.replace('_', ' ');
  const bounds = [low !== null && `from ${low}`, high !== null && `to ${high}`].filter(Boolean);
  return `${bounds.join(' ')} °${unit}`;
}

function renderEvent({ alert, kind, value, unit, measuredAt }: AlertEvent, now: Date): Html {
  const { device, user, probeId, userId } = alert ?? {};
  const probe = device?.probes?.find((own) => own.probeId === probeId && own.userId === userId);
  const reading = value !== null && unit && shown(value, unit, user?.temperatureUnit ?? null);
  return html`<li class="${kind}"><time datetime="${measuredAt.toISOString()}">${timeOf(measuredAt, user?.timeZone ?? null, now)}</time>
<em>${kind}</em><span>${alert && (alert.name ?? ruleOf(alert))}</span><small>${device && nameOf(device)}${probe && ` · ${labelOf(probe)}`}</small>
<b>${alert?.alertType === 'battery' && value !== null ? `${value} %` : reading && `${reading.number} ${reading.unit}`}</b></li>`;
}

const nameOf = (device: Device): string => device.nickname ?? device.label ?? device.deviceId;
const labelOf = (probe: Probe): string => probe.label || `Probe ${probe.probeId}`;
