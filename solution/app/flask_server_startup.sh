#> extends "templates/app/flask_server_startup.sh"

#> block unit
cat > /etc/systemd/system/flask-app.service <<UNIT
[Unit]
Description=Image server of the hybrid lab
After=network-online.target
Wants=network-online.target

[Service]
User=ec2-user
WorkingDirectory=/opt/flask-app
Environment=AWS_REGION=$AWS_REGION
Environment=S3_BUCKET=$S3_BUCKET
Environment=DYNAMODB_TABLE=$DYNAMODB_TABLE
Environment=OBJECT_PREFIX=$OBJECT_PREFIX
Environment=LAB_TOKEN=$LAB_TOKEN
Environment=PORT=$PORT
ExecStart=/usr/bin/python3.11 -m waitress --listen=0.0.0.0:$PORT --threads=12 flask_app:app
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now flask-app
#> endblock
