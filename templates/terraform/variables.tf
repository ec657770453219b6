# What may be chosen, with your own values as defaults.

variable "region" {
  description = "AWS region to deploy to"
  type        = string
  default     = "ap-south-1"
}

variable "project" {
  description = "How the name of everything begins"
  type        = string
  default     = "{@ project @}"
}

variable "environment" {
  description = "Second part of every name, for example lab, test or prod"
  type        = string
  default     = "lab"
}

variable "instance_type" {
  description = "EC2 instance type of the server"
  type        = string
  default     = "t3.micro"
}

variable "image_parameter" {
  description = "Public SSM parameter that names the newest Amazon Linux image (al2023; amzn2 is past its end of life)"
  type        = string
  default     = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"

  validation {
    condition = contains([
      "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
      "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2",
    ], var.image_parameter)
    error_message = "Choose the al2023 or the amzn2 parameter."
  }
}

variable "lambda_timeout" {
  description = "Seconds until AWS stops the function"
  type        = number
  default     = 60
}

variable "lambda_memory" {
  description = "Memory of the function in MB"
  type        = number
  default     = 256
}

variable "lab_role" {
  description = "Name of a role that the account brings along (LabRole in a Learner Lab); empty: create roles"
  type        = string
  default     = ""
}

variable "lab_instance_profile" {
  description = "Instance profile that belongs to lab_role; used only with it"
  type        = string
  default     = "LabInstanceProfile"
}

# Your own values. Leave them as they are: the checks know them.

variable "vpc_cidr" {
  description = "Address range of your network"
  type        = string
  default     = "{@ vpc_cidr @}"
}

variable "subnet_cidr" {
  description = "Address range of its public subnet"
  type        = string
  default     = "{@ subnet_cidr @}"
}

variable "port" {
  description = "Port on which your server listens"
  type        = number
  default     = "{@ port @}"
}

variable "object_prefix" {
  description = "How the key of each of your objects begins"
  type        = string
  default     = "{@ prefix @}"
}

variable "lab_token" {
  description = "Marks your rows in the table"
  type        = string
  default     = "{@ lab_token @}"
}
