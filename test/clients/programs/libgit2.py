"""Git by libgit2 over libssh2: libgit2.py VERB URL KEY [FOLDER [REF]]"""

import os
import sys

import pygit2

verb, url, key, *rest = sys.argv[1:]


class Callbacks(pygit2.RemoteCallbacks):
    def __init__(self):
        super().__init__(credentials=pygit2.Keypair("git", f"{key}.pub", key, ""))

    # pygit2 does not pass the host key on, so there is nothing to check it by.
    def certificate_check(self, certificate, valid, host):
        return valid

    def push_update_reference(self, name, message):
        if message is not None:
            sys.exit(f"{name}: {message}")


if verb == "ls-remote":
    remote = pygit2.init_repository(rest[0], bare=True).remotes.create("door", url)
    for ref in remote.ls_remotes(callbacks=Callbacks()):
        print(f"{ref['oid']}\t{ref['name']}")
elif verb == "clone":
    pygit2.clone_repository(url, rest[0], callbacks=Callbacks())
elif verb == "push":
    remote = pygit2.Repository(rest[0]).remotes.create(f"door-{os.getpid()}", url)
    remote.push([rest[1]], callbacks=Callbacks())
