#> extends "templates/app/lambda_function.py"

#> block lambda_call
    response = urllib3.request(
        "POST",
        f"{server}/process-image",
        json={"image_url": url},
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        retries=False,
    )
    return response.status, result_of(response)
#> endblock

#> block lambda_answers
    try:
        url = image_url(event)
    except BadEvent as error:
        return answer(400, error=str(error))
    server = os.environ.get("EC2_FLASK_URL")
    if not server:
        return answer(500, error="EC2_FLASK_URL is not set")
    try:
        status, result = call_flask(server, url)
    except urllib3.exceptions.HTTPError as error:
        return answer(504, error=f"nobody answers at {server}: {error}")
    elapsed = milliseconds_since(started)
    if status != 200:
        reason = result.get("error", "the server refused")
        return answer(status, error=reason, lambda_ec2_call_time_ms=elapsed)
    return answer(200, message="Image processed", lambda_ec2_call_time_ms=elapsed, result=result)
#> endblock
