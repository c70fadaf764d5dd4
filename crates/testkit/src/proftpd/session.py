"""One FTP session of Python's ftplib, led by lines of JSON.

A line on standard input is a list: a method's name and its arguments. Printed is one line for each: {"ok": answer} or
{"error": what the server said}. Data of files travels in base64. The argument is how many seconds each answer may take.
"""

import base64
import ftplib
import io
import json
import sys

ftp = ftplib.FTP(timeout=float(sys.argv[1]))


def put(name, data, command="STOR"):
    return ftp.storbinary(command + " " + name, io.BytesIO(base64.b64decode(data)))


def get(name):
    parts = []
    ftp.retrbinary("RETR " + name, parts.append)
    return base64.b64encode(b"".join(parts)).decode("ascii")


OWN = {"put": put, "get": get}

for line in sys.stdin:
    name, *args = json.loads(line)
    try:
        answer = {"ok": (OWN.get(name) or getattr(ftp, name))(*args)}
    except (ftplib.Error, OSError, EOFError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
