#!/bin/bash
# The server's user data: cloud-init runs it as root, once, when the instance first boots.
# Everything it prints is kept in /var/log/cloud-init-output.log.
set -euxo pipefail

# Your own values, filled in when the script is deployed.
export AWS_REGION=@AWS_REGION@
export S3_BUCKET=@S3_BUCKET@
export DYNAMODB_TABLE=@DYNAMODB_TABLE@
export OBJECT_PREFIX=@OBJECT_PREFIX@
export LAB_TOKEN=@LAB_TOKEN@
export PORT=@PORT@

# 1. Python, by name: Amazon Linux 2023's own python3 is 3.9. Then the libraries.
dnf install -y python3.11 python3.11-pip
python3.11 -m pip install flask boto3 waitress

# 2. The application: the build puts your flask_app.py in the place of the #include line.
mkdir -p /opt/flask-app
cat > /opt/flask-app/flask_app.py <<'FLASK_APP'
#include flask_app.py
FLASK_APP

# 3. The service.

# >>> gap unit
#> block unit
# Now: the service runs, but knows no bucket ("S3_BUCKET is None"), and is gone after a crash or a reboot.
# systemd gives a service its own environment: what this script exports does not reach it.
# Must hold: it sees AWS_REGION S3_BUCKET DYNAMODB_TABLE OBJECT_PREFIX LAB_TOKEN PORT; it is started
# again after a failure; it comes back after the server is stopped and started.
cat > /etc/systemd/system/flask-app.service <<UNIT
[Unit]
Description=Image server of the hybrid lab
After=network-online.target
Wants=network-online.target

[Service]
User=ec2-user
WorkingDirectory=/opt/flask-app
ExecStart=/usr/bin/python3.11 -m waitress --listen=0.0.0.0:$PORT --threads=12 flask_app:app

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl start flask-app
#> endblock
# <<< gap unit

# 4. The script succeeds when the server answers.
set +x
for _ in {1..300}; do
  if curl --silent --fail --max-time 2 "http://127.0.0.1:$PORT/health"; then
    exit 0
  fi
  if systemctl --quiet is-failed flask-app; then
    break
  fi
  sleep 0.1
done
echo "flask-app does not answer on port $PORT:"
journalctl --unit flask-app --no-pager --lines 20
exit 1
