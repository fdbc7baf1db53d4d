#!/bin/sh
# Starts Mosquitto in the folder of its mosquitto.conf (beside this file) and shows who was refused.
#
# Mosquitto tells of a publication that the ACL refuses, and of the topic of a will, only among its
# debug messages, and those have a line for every message that passes. So all of them are asked for
# here (-v), and what everybody may do is left out again. Of the refusals ten a second are shown, and
# all are counted.
#
# The price is CPU of the broker, about as much again for each message. Without it:
# mosquitto -c mosquitto.conf
set -eu
cd "$(dirname "$0")"
folder=$(mktemp -d)
mkfifo -m 600 "$folder/log"
# Its stderr is where Mosquitto's would go. It ends when Mosquitto does, and not before: whoever stops
# both at once (Ctrl-C, systemd) still gets the last lines.
(
    trap '' INT TERM HUP
    exec awk '
        # From the start of a line on: what comes after it a client may have chosen.
        { said = substr($0, index($0, " ") + 1) }
        said ~ /^(Received|Sending) (PUBLISH|PUBACK|PUBREC|PUBREL|PUBCOMP|PINGREQ|PINGRESP|CONNACK|SUBACK|UNSUBACK|SUBSCRIBE|UNSUBSCRIBE|DISCONNECT) / { next }
        said ~ /^No will message specified/ { next }
        # Below it stands the topic of the will; other such lines are filters, which are logged anyway.
        said ~ /^\t/ && !will { next }
        { will = said ~ /^Will message specified/ }
        said ~ /^Denied PUBLISH from / {
            refused++
            second = substr($0, 1, index($0, " "))
            if (second != last) { last = second; shown = 0 }
            if (++shown > 10) next
            print $0 " (refusals so far: " refused ")"
            fflush()
            next
        }
        { print; fflush() }
    ' <"$folder/log" >&2
) &
exec 3>"$folder/log"
rm -r "$folder"
PATH=$PATH:/usr/sbin # where Debian has it
exec mosquitto -v -c mosquitto.conf 2>&3 3>&-
