#!/usr/bin/env python3
"""Makes an image for containers of the Debian package, without network and without an engine.

    scripts/oci-image.py --deb FILE --base target/package/debian.tar --out FILE [--fast]

The file is a tar of the OCI image layout: load it with `podman load -i`, `skopeo copy oci-archive:`
or `docker load -i`. Layer one is the small Debian of scripts/debian-root.sh, layer two what the
package adds to it. Needs root, for chroot and for the owners of files. The same package on the same
Debian makes the same image.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

# What a container's engine mounts, and what nobody needs in an image.
LEFT_OUT = ("dev/", "proc/", "sys/", "run/", "tmp/", "var/cache/", "var/lib/apt/lists/", "var/log/")
UID = 10001
CONFIG = "/etc/wvgate/wvgate.toml"


def plain(name):
    return name.removeprefix("./").rstrip("/")


def is_left_out(name):
    return any(name.startswith(prefix) for prefix in LEFT_OUT)


def facts(member):
    """What makes an entry another one. Folders change their time with each file in them."""
    when = 0 if member.isdir() else int(member.mtime)
    return (member.type, member.mode, member.uid, member.gid, member.size, member.linkname, when)


class Layer:
    """A compressed tar, with the digests of both its forms."""

    def __init__(self, folder, level, newest):
        self.path = os.path.join(folder, "layer")
        self.newest = newest
        self.inner = hashlib.sha256()
        self.file = open(self.path, "wb")
        self.packed = gzip.GzipFile("", "wb", level, self.file, mtime=0)
        self.tar = tarfile.open(fileobj=self, mode="w|", format=tarfile.PAX_FORMAT)

    def write(self, data):
        self.inner.update(data)
        return self.packed.write(data)

    def add(self, member, content=None):
        member.mtime = min(int(member.mtime), self.newest)
        member.pax_headers = {}
        self.tar.addfile(member, content)

    def finish(self, blobs):
        self.tar.close()
        self.packed.close()
        self.file.close()
        blob = keep(blobs, self.path)
        blob["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip"
        return blob, "sha256:" + self.inner.hexdigest()


def keep(blobs, path):
    """Moves a file to where its digest says."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    size = os.path.getsize(path)
    shutil.move(path, os.path.join(blobs, digest.hexdigest()))
    return {"digest": "sha256:" + digest.hexdigest(), "size": size}


def keep_json(folder, blobs, value, kind):
    path = os.path.join(folder, "json")
    with open(path, "w") as file:
        json.dump(value, file, sort_keys=True)
    return {"mediaType": kind, **keep(blobs, path)}


def base_layer(base, layer):
    """The small Debian; returns what is in it."""
    seen = {}
    with tarfile.open(base) as tar:
        for member in tar:
            name = plain(member.name)
            seen[name] = facts(member)
            if is_left_out(name) or member.isdev():
                continue
            member.name = name or "."
            layer.add(member, tar.extractfile(member) if member.isreg() else None)
    return seen


def install(root, deb):
    def inside(*command):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
        environment["LC_ALL"] = "C.UTF-8"
        subprocess.run(["chroot", root, *command], check=True, env=environment, stdout=sys.stderr)

    # The same number in every image, for those who own volumes.
    inside("groupadd", "--system", "--gid", str(UID), "wvgate")
    inside("useradd", "--system", "--uid", str(UID), "--gid", str(UID), "--home-dir", "/var/lib/wvgate",
           "--no-create-home", "--shell", "/usr/sbin/nologin", "wvgate")
    shutil.copy(deb, os.path.join(root, "wvgate.deb"))
    inside("dpkg", "--install", "/wvgate.deb")
    os.remove(os.path.join(root, "wvgate.deb"))
    for name in ("wvgate.deb", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-",
                 "var/lib/dpkg/status-old"):
        if os.path.exists(os.path.join(root, name)):
            os.remove(os.path.join(root, name))


def added_layer(root, seen, layer):
    """What is there now and was not, or was otherwise; what is gone."""
    there = set()
    # Its reading of a tree gives members as those of an archive.
    reader = tarfile.open(fileobj=io.BytesIO(), mode="w", format=tarfile.PAX_FORMAT)
    for folder, folders, files in os.walk(root):
        folders.sort()
        for entry in sorted(folders + files):
            path = os.path.join(folder, entry)
            name = os.path.relpath(path, root)
            there.add(name)
            if is_left_out(name):
                continue
            member = reader.gettarinfo(path, name)
            if member is None or member.isdev():
                continue
            if member.islnk():
                # A second name of a file: as a file of its own.
                member.type, member.linkname = tarfile.REGTYPE, ""
                member.size = os.path.getsize(path)
            before = seen.get(name)
            if before is not None and (before == facts(member) or before[0] == tarfile.LNKTYPE):
                continue
            member.uname = member.gname = ""
            if member.isreg():
                with open(path, "rb") as file:
                    layer.add(member, file)
            else:
                layer.add(member)
    for name in sorted(seen):
        if name and name not in there and not is_left_out(name):
            gone = tarfile.TarInfo(os.path.join(os.path.dirname(name), ".wh." + os.path.basename(name)))
            layer.add(gone)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--deb", required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--fast", action="store_true")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit(f"{sys.argv[0]}: this needs root, for chroot and for the owners of files")
    field = ["dpkg-deb", "--field", options.deb]
    version = subprocess.run([*field, "Version"], check=True, capture_output=True, text=True).stdout.strip()
    architecture = subprocess.run([*field, "Architecture"], check=True, capture_output=True, text=True).stdout.strip()
    newest = int(os.environ.get("SOURCE_DATE_EPOCH", os.path.getmtime(options.deb)))
    level = 1 if options.fast else 6
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(options.out))) as folder:
        image, root = os.path.join(folder, "image"), os.path.join(folder, "root")
        blobs = os.path.join(image, "blobs/sha256")
        os.makedirs(blobs)
        os.makedirs(root)
        os.chmod(root, 0o755)

        layer = Layer(folder, level, newest)
        seen = base_layer(options.base, layer)
        layers = [layer.finish(blobs)]
        subprocess.run(["tar", "--extract", "--file", options.base, "--directory", root], check=True)
        install(root, options.deb)
        layer = Layer(folder, level, newest)
        added_layer(root, seen, layer)
        layers.append(layer.finish(blobs))

        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(newest))
        tag = version.rpartition("-")[0] or version
        labels = {
            "org.opencontainers.image.title": "wvgate",
            "org.opencontainers.image.version": tag,
            "org.opencontainers.image.created": created,
            "org.opencontainers.image.source": "https://github.com/wvgate/wvgate",
            "org.opencontainers.image.licenses": "Apache-2.0 OR MIT",
        }
        config = {
            "architecture": architecture,
            "os": "linux",
            "created": created,
            "config": {
                "User": f"{UID}:{UID}",
                "Entrypoint": ["/usr/bin/wvgate"],
                "Cmd": ["run", "--config", CONFIG],
                "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                "Volumes": {"/var/lib/wvgate": {}},
                "ExposedPorts": {"5280/tcp": {}, "9280/tcp": {}},
                "WorkingDir": "/var/lib/wvgate",
                "StopSignal": "SIGTERM",
                "Labels": labels,
            },
            "rootfs": {"type": "layers", "diff_ids": [inner for _, inner in layers]},
            "history": [
                {"created": created, "created_by": "scripts/debian-root.sh"},
                {"created": created, "created_by": "scripts/oci-image.py"},
            ],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": keep_json(folder, blobs, config, "application/vnd.oci.image.config.v1+json"),
            "layers": [blob for blob, _ in layers],
            "annotations": labels,
        }
        described = keep_json(folder, blobs, manifest, manifest["mediaType"])
        described["platform"] = {"architecture": architecture, "os": "linux"}
        described["annotations"] = {
            "org.opencontainers.image.ref.name": tag,
            "io.containerd.image.name": f"docker.io/library/wvgate:{tag}",
        }
        index = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [described],
        }
        for name, value in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", index)):
            with open(os.path.join(image, name), "w") as file:
                json.dump(value, file, sort_keys=True)
        subprocess.run(
            ["tar", "--create", "--file", options.out, "--directory", image, "--sort=name", "--owner=0",
             "--group=0", "--numeric-owner", f"--mtime=@{newest}", "oci-layout", "index.json", "blobs"],
            check=True,
        )
    print(options.out)


if __name__ == "__main__":
    main()
