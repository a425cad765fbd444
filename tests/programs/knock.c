// A client of the control socket, well-behaved or not, perhaps as another user.
//   knock <name in the abstract namespace> <user> <how> [line]
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int knock(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(address.sun_path + 1, name, length);
	if (connect(fd, (struct sockaddr *)&address, sizeof(sa_family_t) + 1 + length)) {
		puts("refused");
		exit(0);
	}
	return fd;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	char buffer[65536];
	long total = 0;
	ssize_t got;
	if (argc < 4 || (atoi(argv[2]) && setuid(atoi(argv[2]))))
		return 2;
	if (!strcmp(argv[3], "silent")) {
		// A crowd that says nothing.
		for (int i = 0; i < 6; i++)
			knock(argv[1]);
		sleep(2);
		return 0;
	}
	int fd = knock(argv[1]);
	if (!strcmp(argv[3], "endless")) {
		// A line without an end.
		memset(buffer, 'a', sizeof buffer);
		while (send(fd, buffer, sizeof buffer, MSG_NOSIGNAL) > 0)
			;
		puts("hung up");
		return 0;
	}
	dprintf(fd, "%s\n", argv[4]);
	if (!strcmp(argv[3], "deaf"))
		// Asks and does not listen.
		return sleep(1), 0;
	while ((got = read(fd, buffer, sizeof buffer)) > 0) {
		fwrite(buffer, 1, got, stdout);
		total += got;
	}
	if (total == 0)
		puts("hung up");
	return 0;
}
