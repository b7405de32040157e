// nfqdelay QUEUE DELAY_MS JITTER_MS LOSS_PCT DUPLICATES_PCT SEED
//
// Holds every packet of one netfilter queue of this network namespace for DELAY_MS to DELAY_MS + JITTER_MS, then
// lets it go; packets overtake each other. So many per cent are lost, so many arrive twice. It stands in for the
// kernel's netem, which many kernels do not have.
//
// Use it where packets come in: one that is held on its way out still counts against the sender's socket.
//   iptables -A INPUT -m mark --mark 7777 -j ACCEPT        (the second copies: they are not queued again)
//   iptables -A INPUT -s PEER -j NFQUEUE --queue-num QUEUE

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { max_held = 65536, copy_mark = 7777 };

struct held {
  double due_ms;
  uint32_t id;  // they grow, so they decide between equal times
};

static struct held heap[max_held];
static int held_count;
static double delay_ms, jitter_ms, loss_pct, duplicates_pct;
static int raw_socket = -1;

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int before(const struct held* a, const struct held* b) {
  return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : (int32_t)(a->id - b->id) < 0;
}

static void push(struct held item) {
  int at = held_count++;
  while (at > 0 && before(&item, &heap[(at - 1) / 2])) {
    heap[at] = heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  heap[at] = item;
}

static uint32_t pop(void) {
  const uint32_t first = heap[0].id;
  const struct held item = heap[--held_count];
  int at = 0, child;
  while ((child = 2 * at + 1) < held_count) {
    if (child + 1 < held_count && before(&heap[child + 1], &heap[child])) ++child;
    if (before(&item, &heap[child])) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = item;
  return first;
}

static uint32_t sum_words(const unsigned char* bytes, size_t size, uint32_t sum) {
  for (size_t i = 0; i + 1 < size; i += 2) sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
  if (size % 2 == 1) sum += (uint32_t)(bytes[size - 1] << 8);
  return sum;
}

// Packets between namespaces of one machine often carry a checksum that nobody has finished.
static void finish_tcp_checksum(unsigned char* packet, size_t size) {
  const struct iphdr* ip = (const struct iphdr*)packet;
  const size_t head = (size_t)ip->ihl * 4;
  if (ip->protocol != IPPROTO_TCP || size < head + sizeof(struct tcphdr)) return;
  struct tcphdr* tcp = (struct tcphdr*)(packet + head);
  tcp->check = 0;
  uint32_t sum = sum_words((const unsigned char*)&ip->saddr, 8, 0);
  sum += IPPROTO_TCP + (uint32_t)(size - head);
  sum = sum_words(packet + head, size - head, sum);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  tcp->check = htons((uint16_t)~sum);
}

static void send_again(unsigned char* packet, size_t size) {
  if (size < sizeof(struct iphdr) || raw_socket < 0) return;
  finish_tcp_checksum(packet, size);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {((struct iphdr*)packet)->daddr}};
  // A copy that does not get away is one duplicate less.
  if (sendto(raw_socket, packet, size, 0, (struct sockaddr*)&to, sizeof to) < 0 && errno == EMSGSIZE) return;
}

static int by_chance(double pct) { return drand48() * 100 < pct; }

static int on_packet(struct nfq_q_handle* queue, struct nfgenmsg* message, struct nfq_data* data, void* unused) {
  (void)message;
  (void)unused;
  const uint32_t id = ntohl(nfq_get_msg_packet_hdr(data)->packet_id);
  if (held_count == max_held || by_chance(loss_pct)) return nfq_set_verdict(queue, id, NF_DROP, 0, NULL);
  if (by_chance(duplicates_pct)) {
    unsigned char* packet = NULL;
    const int size = nfq_get_payload(data, &packet);
    if (size > 0) send_again(packet, (size_t)size);
  }
  push((struct held){now_ms() + delay_ms + jitter_ms * drand48(), id});
  return 0;
}

static int open_raw_socket(void) {
  const int mark = copy_mark;
  raw_socket = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  return raw_socket < 0 ? -1 : setsockopt(raw_socket, SOL_SOCKET, SO_MARK, &mark, sizeof mark);
}

int main(int count, char** words) {
  if (count != 7) {
    fprintf(stderr, "usage: nfqdelay QUEUE DELAY_MS JITTER_MS LOSS_PCT DUPLICATES_PCT SEED\n");
    return 2;
  }
  delay_ms = atof(words[2]);
  jitter_ms = atof(words[3]);
  loss_pct = atof(words[4]);
  duplicates_pct = atof(words[5]);
  srand48(atol(words[6]));
  if (duplicates_pct > 0 && open_raw_socket() != 0) {
    perror("nfqdelay: raw socket");
    return 1;
  }
  struct nfq_handle* handle = nfq_open();
  struct nfq_q_handle* queue = handle ? nfq_create_queue(handle, (uint16_t)atoi(words[1]), on_packet, NULL) : NULL;
  if (queue == NULL) {
    perror("nfqdelay: netfilter queue");
    return 1;
  }
  nfq_set_mode(queue, NFQNL_COPY_PACKET, 65535);
  nfq_set_queue_maxlen(queue, max_held);
  nfq_set_queue_flags(queue, NFQA_CFG_F_GSO, NFQA_CFG_F_GSO);
  puts("ready");
  fflush(stdout);
  static char buffer[1 << 17];
  struct pollfd waiting = {nfq_fd(handle), POLLIN, 0};
  while (1) {
    double rest_ms = held_count > 0 ? heap[0].due_ms - now_ms() : 3600e3;
    if (rest_ms < 0) rest_ms = 0;
    const struct timespec rest = {(time_t)(rest_ms / 1e3), (long)((rest_ms - 1e3 * (double)(long)(rest_ms / 1e3)) * 1e6)};
    if (ppoll(&waiting, 1, &rest, NULL) > 0) {
      const ssize_t size = recv(waiting.fd, buffer, sizeof buffer, 0);
      if (size > 0) {
        nfq_handle_packet(handle, buffer, (int)size);
      } else if (errno != ENOBUFS && errno != EINTR) {
        return 1;
      }
    }
    const double present_ms = now_ms();
    while (held_count > 0 && heap[0].due_ms <= present_ms) nfq_set_verdict(queue, pop(), NF_ACCEPT, 0, NULL);
  }
}
