"""Run the commands of docs/dvc.md and write what they print beneath them.

    python docs/scripts/dvc_page.py FOLDER docs/dvc.md

FOLDER must be new. The repository `gmgan` is made in it, and the commands run there. Meanwhile an
S3 server runs on this machine; its address is in $S3.
"""

import argparse
import logging
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("page", type=Path)
    options = parser.parse_args()
    folder = options.folder.resolve()
    environment = clean_environment(folder)
    repository = make_repository(folder / "gmgan", environment)
    with s3_server("gmgan-bucket") as address:
        done = subprocess.run(
            [sys.executable, ROOT / "docs" / "scripts" / "console.py", repository, options.page],
            env={**environment, **KEYS, "S3": address},
        )
    sys.exit(done.returncode)


def clean_environment(folder: Path) -> dict:
    """Nothing of the user's own settings of DVC, Git and S3; caches below `folder`."""
    own = ("DVC_", "GIT_", "AWS_", "GMGAN_WORKER")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(own)}
    return environment | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
        "DVC_SITE_CACHE_DIR": str(folder / "dvc-site"),
        "DVC_GLOBAL_CONFIG_DIR": str(folder / "dvc-global"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_NAME": "you" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "you@example.org" for who in ("AUTHOR", "COMMITTER")},
    }


def make_repository(folder: Path, environment: dict) -> Path:
    """A copy of the files under version control here, as the first commit of a new repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    for command in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "gmgan"],
    ):
        subprocess.run(["git", *command], cwd=folder, env=environment, check=True)
    return folder


@contextmanager
def s3_server(bucket: str):
    """An S3 server on this machine with one empty bucket; yields its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        client = boto3.client(
            "s3",
            endpoint_url=address,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            region_name=KEYS["AWS_DEFAULT_REGION"],
        )
        client.create_bucket(Bucket=bucket)
        yield address
    finally:
        server.stop()


if __name__ == "__main__":
    main()
