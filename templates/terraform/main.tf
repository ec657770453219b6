# The hybrid architecture: a Lambda function calls a Flask server on EC2, which stores an image in S3
# and its row in DynamoDB. Your own values are in variables.tf.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      "lab:project" = var.project
      "lab:variant" = "{@ tag_variant @}"
      "lab:ttl"     = "{@ tag_ttl @}"
    }
  }
}

data "aws_caller_identity" "current" {}

data "aws_availability_zones" "available" {
  state = "available"
}

data "aws_ssm_parameter" "image" {
  name = var.image_parameter
}

locals {
  name          = "${var.project}-${var.environment}"
  function_name = "${local.name}-process-image"
  account       = data.aws_caller_identity.current.account_id
  create_roles  = var.lab_role == "" ? 1 : 0
}

# ---- Network --------------------------------------------------------------------------------

resource "aws_vpc" "main" {
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = "${local.name}-vpc" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${local.name}-gateway" }
}

resource "aws_subnet" "public" {
  vpc_id                  = aws_vpc.main.id
  cidr_block              = var.subnet_cidr
  availability_zone       = data.aws_availability_zones.available.names[0]
  map_public_ip_on_launch = true
  tags                    = { Name = "${local.name}-public" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "${local.name}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}

# ---- Security groups: who may knock on which door --------------------------------------------

resource "aws_security_group" "function" {
  name        = "${local.name}-function"
  description = "The Lambda function: calls out, is never called"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${local.name}-function" }
}

resource "aws_vpc_security_group_egress_rule" "function" {
  security_group_id = aws_security_group.function.id
  description       = "Anywhere"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "server" {
  name        = "${local.name}-server"
  description = "The Flask server: open to the function only"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${local.name}-server" }
}

resource "aws_vpc_security_group_egress_rule" "server" {
  security_group_id = aws_security_group.server.id
  description       = "Anywhere: packages, images, S3, DynamoDB"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

# >>> gap server-door
#> block server_door
# Now: nobody may reach the server; whoever tries waits until the time is up.
# To do: a rule (aws_vpc_security_group_ingress_rule) on the server's group.
# Must hold: TCP, your port (var.port) and no other, from the function's group; no SSH.
#> endblock
# <<< gap server-door

# ---- Storage --------------------------------------------------------------------------------

resource "aws_s3_bucket" "images" {
  bucket        = "${local.name}-images-${local.account}-${var.region}"
  force_destroy = true
}

# >>> gap bucket-protection
#> block bucket_protection
# Now: an overwritten image is lost, and nothing in your code keeps the bucket shut.
# To do: aws_s3_bucket_versioning, aws_s3_bucket_public_access_block,
# aws_s3_bucket_server_side_encryption_configuration and aws_s3_bucket_policy.
# Must hold: versions are kept; all four public-access blocks; objects encrypted; plain HTTP refused.
#> endblock
# <<< gap bucket-protection

resource "aws_dynamodb_table" "images" {
  name         = "${local.name}-images"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "image_id"

  attribute {
    name = "image_id"
    type = "S"
  }
}

# ---- Roles: who may do what -----------------------------------------------------------------

data "aws_iam_role" "lab" {
  count = 1 - local.create_roles
  name  = var.lab_role
}

data "aws_iam_policy_document" "trust" {
  for_each = toset(["ec2", "lambda"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  count              = local.create_roles
  name               = "${local.name}-function"
  assume_role_policy = data.aws_iam_policy_document.trust["lambda"].json
}

resource "aws_iam_role_policy" "function" {
  count = local.create_roles
  name  = "logs-and-interfaces"
  role  = aws_iam_role.function[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.function.arn}:*"
      },
      {
        # Lambda puts a network interface into the subnet; these actions know no narrower resource.
        Effect = "Allow"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
          "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = "*"
      },
    ]
  })
}

resource "aws_iam_role" "server" {
  count              = local.create_roles
  name               = "${local.name}-server"
  assume_role_policy = data.aws_iam_policy_document.trust["ec2"].json
}

resource "aws_iam_instance_profile" "server" {
  count = local.create_roles
  name  = "${local.name}-server"
  role  = aws_iam_role.server[0].name
}

# >>> gap server-policy
#> block server_policy
# Now: the server's role may do nothing; AWS answers AccessDenied and names who, what, on what.
# To do: an aws_iam_role_policy for aws_iam_role.server[0], with count = local.create_roles.
# Must hold: put objects below your prefix in your bucket; put and update items in your table; no more.
#> endblock
# <<< gap server-policy

# ---- Server ---------------------------------------------------------------------------------

resource "aws_instance" "server" {
  ami                         = data.aws_ssm_parameter.image.value
  instance_type               = var.instance_type
  subnet_id                   = aws_subnet.public.id
  vpc_security_group_ids      = [aws_security_group.server.id]
  iam_instance_profile        = var.lab_role == "" ? one(aws_iam_instance_profile.server[*].name) : var.lab_instance_profile
  user_data_replace_on_change = true

  user_data = templatefile("${path.module}/build/flask_server_startup.sh.tftpl", {
    aws_region     = var.region
    s3_bucket      = aws_s3_bucket.images.id
    dynamodb_table = aws_dynamodb_table.images.name
    object_prefix  = var.object_prefix
    lab_token      = var.lab_token
    port           = var.port
  })

  metadata_options {
    http_tokens = "required"
  }

  tags = { Name = "${local.name}-server" }

  # The boot script fetches packages: the way to the internet must be there first.
  depends_on = [aws_route.internet, aws_route_table_association.public, aws_vpc_security_group_egress_rule.server]

  lifecycle {
    ignore_changes = [ami]
  }
}

# ---- Function -------------------------------------------------------------------------------

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = 7
}

resource "aws_lambda_function" "process_image" {
  function_name    = local.function_name
  description      = "Has the Flask server process an image"
  runtime          = "python3.13"
  handler          = "lambda_function.lambda_handler"
  filename         = "${path.module}/build/lambda.zip"
  source_code_hash = filebase64sha256("${path.module}/build/lambda.zip")
  role             = var.lab_role == "" ? one(aws_iam_role.function[*].arn) : one(data.aws_iam_role.lab[*].arn)
  timeout          = var.lambda_timeout
  memory_size      = var.lambda_memory

  # >>> gap lambda-network
  #> block lambda_network
  # Now: the function lives outside your network and calls an address at which nobody lives: time-out.
  # To do: a vpc_config block, and the right EC2_FLASK_URL.
  # Must hold: your subnet, the function's own group; the server's private address, by reference, and your port.
  environment {
    variables = {
      EC2_FLASK_URL  = "http://{@ nobody @}:${var.port}"
      S3_BUCKET      = aws_s3_bucket.images.id
      DYNAMODB_TABLE = aws_dynamodb_table.images.name
    }
  }
  #> endblock
  # <<< gap lambda-network

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}
