/* The floor a media plane is compared with: a bare UDP relay. One socket per leg, epoll, recv, sendto; nothing else.
 *
 * relay LEGS FIRST_PORT   with LEGS lines on stdin, line i naming the UDP port of the peer of leg i.
 * Leg i listens on 127.0.0.1:FIRST_PORT+i. What it receives leaves from leg i^1 toward the peer of leg i^1.
 * Prints "ready", runs until SIGTERM, then prints how many packets it relayed. Exit status 2: bad use or no socket.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 512, LARGEST = 1500, RECEIVE_BUFFER = 262144 };

struct leg {
  int fd;
  struct sockaddr_in peer;
};

static volatile sig_atomic_t stopping;

static void stop(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int open_leg(struct leg *leg, int own_port, int peer_port) {
  struct sockaddr_in own = loopback(own_port);
  int size = RECEIVE_BUFFER;
  leg->peer = loopback(peer_port);
  leg->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (leg->fd < 0) return -1;
  setsockopt(leg->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return bind(leg->fd, (struct sockaddr *)&own, sizeof own);
}

static unsigned long relay(struct leg *legs, int poller) {
  struct epoll_event ready[BATCH];
  unsigned char packet[LARGEST];
  unsigned long relayed = 0;
  while (!stopping) {
    int count = epoll_wait(poller, ready, BATCH, 100);
    for (int i = 0; i < count; i++) {
      unsigned from = ready[i].data.u32;
      struct leg *to = &legs[from ^ 1u];
      ssize_t length = recv(legs[from].fd, packet, sizeof packet, 0);
      if (length <= 0) continue;
      sendto(to->fd, packet, (size_t)length, 0, (struct sockaddr *)&to->peer, sizeof to->peer);
      relayed++;
    }
  }
  return relayed;
}

int main(int count, char **words) {
  int legs_wanted = count == 3 ? atoi(words[1]) : 0, first_port = count == 3 ? atoi(words[2]) : 0;
  if (legs_wanted < 2 || legs_wanted % 2 || first_port < 1 || first_port + legs_wanted > 65536) {
    fprintf(stderr, "usage: relay LEGS FIRST_PORT < PEER_PORTS (an even number of legs)\n");
    return 2;
  }
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  struct leg *legs = calloc((size_t)legs_wanted, sizeof *legs);
  int poller = epoll_create1(0);
  if (!legs || poller < 0) return 2;
  for (int i = 0; i < legs_wanted; i++) {
    int peer_port;
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = (unsigned)i};
    if (scanf("%d", &peer_port) != 1 || open_leg(&legs[i], first_port + i, peer_port) < 0) {
      perror("relay: leg");
      return 2;
    }
    epoll_ctl(poller, EPOLL_CTL_ADD, legs[i].fd, &wanted);
  }
  signal(SIGTERM, stop);
  signal(SIGINT, SIG_IGN); /* the bench ends us */
  puts("ready");
  fflush(stdout);
  printf("%lu\n", relay(legs, poller));
  return 0;
}
