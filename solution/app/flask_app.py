#> extends "templates/app/flask_app.py"

#> block download
    with internet() as http, http.request("GET", url, preload_content=False) as response:
        if response.status != 200:
            raise BadDownload(f"the image's host answered {response.status}, not 200")
        data = response.read(MAX_BYTES + 1)
    if not data:
        raise BadDownload("the image is empty")
    if len(data) > MAX_BYTES:
        raise BadDownload(f"the image is larger than {MAX_BYTES} bytes")
    extension = image_extension(data)
    if extension is None:
        raise BadDownload("this is not a jpg, png, gif or webp image")
    return data, extension
#> endblock

#> block store
    client("s3").put_object(
        Bucket=image["s3_bucket"],
        Key=image["s3_key"],
        Body=data,
        ContentType=CONTENT_TYPES[image["file_extension"]],
    )
#> endblock

#> block record
    table = setting("DYNAMODB_TABLE")
    dynamodb = client("dynamodb")

    def set_status(status):
        dynamodb.update_item(
            TableName=table,
            Key={"image_id": {"S": image["image_id"]}},
            UpdateExpression="SET #status = :status",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":status": {"S": status}},
        )

    dynamodb.put_item(TableName=table, Item=as_row(image, "pending"))
    try:
        store(image, data)
    except Exception:
        set_status("failed")
        raise
    set_status("processed")
#> endblock
