"""Which machine images the local cloud has, in the words that stand behind AWS's own where one is asked for that it has not.

What belongs here: the words. What does not: the images (labkit.cloud.moto_seam.ec2.ec2_run).
"""

#: behind the refusal of any other image
HERE = (
    "The local cloud has the images of Amazon Linux 2023 and 2 alone, no Ubuntu and no Windows. Their ids in this region: "
    "aws ssm get-parameters-by-path --path /aws/service/ami-amazon-linux-latest"
)
#: where AWS publishes the ids of its own and of others' images
PUBLISHED = "/aws/service/"


def told_by(error: Exception) -> str:
    """The words with a blank before them where the error tells them, so that whoever words it anew keeps them; else ""."""
    return f" {HERE}" if HERE in str(error) else ""
