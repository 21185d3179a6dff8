// An ssh command for git by Go's x/crypto: go-ssh [-o OPTION] -p PORT USER@HOST COMMAND, with the key in GO_SSH_KEY,
// the server's keys in GO_SSH_KNOWN_HOSTS, and new keys after GO_SSH_REKEY_BYTES of traffic, if that is set.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func main() {
	log.SetFlags(0)
	port := flag.String("p", "22", "port")
	_ = flag.String("o", "", "taken as ssh takes it, and left alone")
	flag.Parse()
	user, host, _ := strings.Cut(flag.Arg(0), "@")
	status, err := run(user, net.JoinHostPort(strings.Trim(host, "[]"), *port), flag.Arg(1))
	if err != nil {
		log.Fatal(err)
	}
	os.Exit(status)
}

func run(user, address, command string) (int, error) {
	config, err := configuration(user)
	if err != nil {
		return 0, err
	}
	client, err := ssh.Dial("tcp", address, config)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return 0, err
	}
	session.Stdin, session.Stdout, session.Stderr = os.Stdin, os.Stdout, os.Stderr
	if protocol := os.Getenv("GIT_PROTOCOL"); protocol != "" {
		if err := session.Setenv("GIT_PROTOCOL", protocol); err != nil {
			return 0, fmt.Errorf("GIT_PROTOCOL: %w", err)
		}
	}
	err = session.Run(command)
	if exit, isExit := err.(*ssh.ExitError); isExit {
		return exit.ExitStatus(), nil
	}
	return 0, err
}

func configuration(user string) (*ssh.ClientConfig, error) {
	content, err := os.ReadFile(os.Getenv("GO_SSH_KEY"))
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(content)
	if err != nil {
		return nil, err
	}
	known, err := knownhosts.New(os.Getenv("GO_SSH_KNOWN_HOSTS"))
	if err != nil {
		return nil, err
	}
	rekeyBytes, _ := strconv.ParseUint(os.Getenv("GO_SSH_REKEY_BYTES"), 10, 64)
	return &ssh.ClientConfig{
		Config:          ssh.Config{RekeyThreshold: rekeyBytes},
		User:            user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: known,
	}, nil
}
