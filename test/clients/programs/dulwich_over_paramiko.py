"""Git by dulwich over Paramiko: dulwich_over_paramiko.py VERB URL KEY [FOLDER [REF]]"""

import sys

import dulwich.client
import paramiko
from dulwich import porcelain
from dulwich.contrib.paramiko_vendor import ParamikoSSHVendor

verb, url, key, *rest = sys.argv[1:]


class Vendor(ParamikoSSHVendor):
    def __init__(self):
        super().__init__(key_filename=key, allow_agent=False, look_for_keys=False)


# As dulwich.contrib.paramiko_vendor says.
dulwich.client.get_ssh_vendor = Vendor

if verb == "ls-remote":
    for name, commit in porcelain.ls_remote(url).items():
        print(f"{commit.decode()}\t{name.decode()}")
elif verb == "clone":
    porcelain.clone(url, rest[0], errstream=sys.stderr.buffer)
elif verb == "push":
    porcelain.push(rest[0], url, rest[1], errstream=sys.stderr.buffer)
