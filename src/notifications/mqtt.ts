import { z } from 'zod';
import { InputError, PermanentError } from '../errors.js';
import type { Channel } from './channel.js';
import { DeliveryError } from './delivery-error.js';
import { inert } from './message.js';
import type { MqttTransport } from './mqtt-transport.js';

/** What a user's topics begin with. No topic holds text of a user or of the cloud. */
export const topicOf = (ownerId: string) => `grill-stats/${ownerId}`;

/** Events on the operator's broker, one JSON document each; states are Home Assistant's affair. */
export function createMqtt(transport: MqttTransport): Channel {
  return {
    hasOwnTransport: true,

    prepare({ url, secret }) {
      if (secret !== null)
        throw new InputError('an mqtt channel takes no secret: that of the broker is in MQTT_URL');
      const prefix = /^mqtt:([A-Za-z0-9_-]{1,64})$/.exec(url)?.[1];
      if (prefix !== undefined) return { url: `mqtt:${prefix}`, secret };
      throw new InputError(
        '--url must be mqtt: and the discovery prefix of Home Assistant: mqtt:homeassistant, unless it was changed',
      );
    },

    render({ body, title, text, summary = text }) {
      return JSON.stringify({ ...body, summary: `${title}: ${summary}` });
    },

    async send(_target, payload, { ownerId, signal }) {
      if (ownerId === undefined) throw new PermanentError('an mqtt channel without its owner');
      const publication = { topic: `${topicOf(ownerId)}/events`, payload, retain: false };
      try {
        const connection = await transport.connect();
        await connection.publish([publication], signal);
        return { statusCode: null, receipt: null };
      } catch (error) {
        if (signal?.aborted) throw error;
        throw toFailure(error);
      }
    },
  };
}

const refusal = z.object({ code: z.union([z.literal(4), z.literal(5)]) });

/** Whatever is wrong with a broker, the operator can mend it. */
function toFailure(error: unknown): DeliveryError {
  if (refusal.safeParse(error).success)
    return new DeliveryError('the MQTT broker refuses the sign-in, see MQTT_URL', 'retry');
  const reason = inert((error instanceof Error && error.message) || 'no connection', 200);
  return new DeliveryError(`the MQTT broker cannot be used: ${reason}`, 'retry');
}
