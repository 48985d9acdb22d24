import { BlockList, isIP } from 'node:net';

/** IANA's special-purpose blocks; of IPv6 those inside 2000::/3, which is all that is given out. */
const SPECIAL_V4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 ' +
  '192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3';
const SPECIAL_V6 = '2001::/23 2001:db8::/32 2002::/16 3fff::/20';

const special = { ipv4: listOf('ipv4', SPECIAL_V4), ipv6: listOf('ipv6', SPECIAL_V6) };
const globalUnicast = listOf('ipv6', '2000::/3');

/** Whether an IP address in its usual spelling can belong to somebody else's public server. A name never does. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !special.ipv4.check(address, 'ipv4');
  return family === 6 && globalUnicast.check(address, 'ipv6') && !special.ipv6.check(address, 'ipv6');
}

/** Names that only mean something on this machine or in this network, however they resolve. */
export function isPrivateName(name: string): boolean {
  return !name.includes('.') || /\.(localhost|localdomain|local|internal|lan|home\.arpa)$/.test(name);
}

function listOf(family: 'ipv4' | 'ipv6', blocks: string): BlockList {
  const list = new BlockList();
  for (const [, network = '', bits] of blocks.matchAll(/(\S+)\/(\d+)/g)) {
    list.addSubnet(network, Number(bits), family);
  }
  return list;
}
