#!/bin/sh
# Makes the users romeo and juliet (the password is the name), then starts Prosody.
set -eu
for user in romeo juliet; do
    prosodyctl register "$user" xmpp.test "$user"
done
exec prosody -F
